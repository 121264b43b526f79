package main

// titles and intros stand above the table of contents, by language.
var (
	titles = map[string]string{
		"en": "Recurrent networks, in chapters that run",
		"ja": "動かして学ぶ再帰型ニューラルネットワーク",
	}
	intros = map[string]string{
		"en": `Each chapter asks a question that a first lecture on recurrent networks leaves open, and
answers it with the numbers of a run. A chapter is a Go program, a notebook and this page; its claims
are checked whenever the tests run.`,
		"ja": `再帰型ニューラルネットワーク（RNN）の入門講義を聞いたあとに残る疑問を、
章ごとに一つずつ取り上げ、実際に動かして得た数値で答えます。
どの章も Go のプログラムであり、ノートブックであり、このページでもあります。
書かれている主張は、テストのたびに確かめられます。`,
	}
)
