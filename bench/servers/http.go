// The answerer of http.rb with a goroutine a connection.
package main

import (
	"bytes"
	"net"
	"os"
)

var headEnd = []byte("\r\n\r\n")
var response = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!")

func answer(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 0, 8192)
	chunk := make([]byte, 4096)
	for {
		count, err := connection.Read(chunk)
		if err != nil {
			return
		}
		buffer = append(buffer, chunk[:count]...)
		for {
			at := bytes.Index(buffer, headEnd)
			if at < 0 {
				break
			}
			buffer = append(buffer[:0], buffer[at+4:]...)
			if _, err := connection.Write(response); err != nil {
				return
			}
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
		go answer(connection)
	}
}
