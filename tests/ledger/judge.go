// Judges our notes, proofs and tiles with the Go reference (golang.org/x/mod/sumdb): one question a line on standard input,
// one answer a line on standard output, "ok" or why not. Nothing of the gateway is used.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Kind  string // note, inclusion, consistency, tile
	Key   string // note: the verifier key
	Note  string
	Size  int64
	Size1 int64
	Index int64
	Leaf  string // base64 of the leaf's bytes
	Root  string // base64
	Root1 string
	Proof []string // base64
	Level int
	Tile  string // base64 of the tile's bytes
	Width int
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<22)
	for in.Scan() {
		var asked question
		err := json.Unmarshal(in.Bytes(), &asked)
		if err == nil {
			err = judge(asked)
		}
		if err != nil {
			fmt.Println("no:", err)
		} else {
			fmt.Println("ok")
		}
	}
}

func judge(asked question) error {
	switch asked.Kind {
	case "note":
		verifier, err := note.NewVerifier(asked.Key)
		if err != nil {
			return err
		}
		_, err = note.Open([]byte(asked.Note), note.VerifierList(verifier))
		return err
	case "inclusion":
		leaf := tlog.RecordHash(decoded(asked.Leaf))
		return tlog.CheckRecord(hashes(asked.Proof), asked.Size, hash(asked.Root), asked.Index, leaf)
	case "consistency":
		return tlog.CheckTree(hashes(asked.Proof), asked.Size, hash(asked.Root), asked.Size1, hash(asked.Root1))
	case "tile": // the whole tree is in one tile: its own root must come out of the tile's hashes
		tile := tlog.Tile{H: 8, L: asked.Level, N: 0, W: asked.Width}
		found, err := tlog.TreeHash(asked.Size, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			out := []tlog.Hash{}
			for _, index := range indexes {
				one, err := tlog.HashFromTile(tile, decoded(asked.Tile), index)
				if err != nil {
					return nil, err
				}
				out = append(out, one)
			}
			return out, nil
		}))
		if err == nil && found != hash(asked.Root) {
			err = errors.New("another root")
		}
		return err
	}
	return errors.New("unknown question")
}

func decoded(text string) []byte {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return raw
}

func hash(text string) (one tlog.Hash) {
	copy(one[:], decoded(text))
	return one
}

func hashes(texts []string) (all []tlog.Hash) {
	for _, text := range texts {
		all = append(all, hash(text))
	}
	return all
}
