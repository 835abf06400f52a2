// SPDX-License-Identifier: Apache-2.0
// client ADDRESS PORT TIMES: fetches the page, on a new connection each time, and prints it.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
)

func fetch(address string) {
	request, err := http.NewRequest("GET", "http://"+address+"/", nil)
	if err != nil {
		log.Fatal(err)
	}
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if peer := got.Conn.RemoteAddr().String(); peer != address {
			log.Fatal("the peer is ", peer)
		}
	}}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(page))
}

func main() {
	address := net.JoinHostPort(os.Args[1], os.Args[2])
	times, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	for i := 0; i < times; i++ {
		fetch(address)
	}
}
