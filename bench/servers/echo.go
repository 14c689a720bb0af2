// The echo of echo.rb with a goroutine a connection. (io.Copy would splice: no bytes would pass through the program.)
package main

import (
	"net"
	"os"
)

func echo(connection net.Conn) {
	defer connection.Close()
	chunk := make([]byte, 65536)
	for {
		count, err := connection.Read(chunk)
		if err != nil {
			return
		}
		if _, err := connection.Write(chunk[:count]); err != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go echo(connection)
	}
}
