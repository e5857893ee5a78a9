// Prints the status of a GET to each address given.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	for _, address := range os.Args[1:] {
		answer, err := http.Get(address)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		answer.Body.Close()
		fmt.Println(answer.StatusCode)
	}
}
