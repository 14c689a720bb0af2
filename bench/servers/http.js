// The answerer of http.rb as one writes it for Node without its HTTP server: on bare sockets.
const RESPONSE = Buffer.from("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!");

require("net")
  .createServer({ noDelay: true }, (socket) => {
    let buffer = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => {
      buffer += data.toString("latin1");
      for (let at; (at = buffer.indexOf("\r\n\r\n")) >= 0; ) {
        buffer = buffer.slice(at + 4);
        socket.write(RESPONSE);
      }
    });
  })
  .listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
