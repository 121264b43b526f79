// Package all makes every model of the library known to zoo.Load. A program that loads models of
// any kind imports it for that alone:
//
//	import _ "github.com/seqzoo/seqzoo/zoo/all"
//
// A program that loads one kind needs only the package of that kind.
package all

import (
	_ "github.com/seqzoo/seqzoo/zoo/caption"
	_ "github.com/seqzoo/seqzoo/zoo/dialogue"
	_ "github.com/seqzoo/seqzoo/zoo/emoji"
	_ "github.com/seqzoo/seqzoo/zoo/forecast"
	_ "github.com/seqzoo/seqzoo/zoo/label"
	_ "github.com/seqzoo/seqzoo/zoo/lm"
	_ "github.com/seqzoo/seqzoo/zoo/reduce"
	_ "github.com/seqzoo/seqzoo/zoo/seq2seq"
)
