// The echo of echo.rb for Node.
require("net")
  .createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => socket.write(data));
  })
  .listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
