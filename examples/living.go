package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/seqzoo/seqzoo/course"
)

//go:embed living/page.html
var livingPage string

// livingMarkup makes of a page's words its markup and script, which are the same in all languages.
var livingMarkup = template.Must(template.New("living").Option("missingkey=error").
	Parse(livingPage))

// living is the page on which a browser trains a network. Where its program was not built beside it,
// it says how to build it, and asks the server for nothing.
func living(built bool) course.Leaf {
	chapter := "02-initialisation"
	return course.Leaf{
		Name: "living",
		Titles: map[string]string{"en": "A living page: watch a network learn to add",
			"ja": "動くページ：足し算を学ぶネットワークを見る"},
		Text: func(language, extension string) string {
			text := strings.ReplaceAll(livingText[language], "CHAPTER",
				course.PageName(chapter, language, extension))
			if extension != "html" {
				text += "\n\n" + livingWords[language]["missing"]
			}
			return text
		},
		Live: func(language string) (template.HTML, error) {
			if livingWords[language] == nil {
				return "", fmt.Errorf("the living page has no words in %q", language)
			}
			var b strings.Builder
			err := livingMarkup.Execute(&b, map[string]any{"Words": livingWords[language],
				"Built": built})
			return template.HTML(b.String()), err
		},
	}
}

// What the living page loads from its own folder: its program, and how Go's programs run in a
// browser, from the Go that built it.
const (
	livingProgram = "living.wasm"
	livingStarter = "wasm_exec.js"
)

// livingFiles builds what the living page loads, when it is first asked for.
type livingFiles struct {
	root  string // of the checkout
	mu    sync.Mutex
	built map[string][]byte
}

// file returns a file of the living page. It may take minutes the first time, since the library is
// compiled for the browser.
func (l *livingFiles) file(ctx context.Context, name string) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.built[name] != nil {
		return l.built[name], nil
	}
	content, err := l.build(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("the living page: %s: %w", name, err)
	}
	if l.built == nil {
		l.built = map[string][]byte{}
	}
	l.built[name] = content
	return content, nil
}

func (l *livingFiles) build(ctx context.Context, name string) ([]byte, error) {
	if name == livingStarter {
		goRoot, err := l.goTool(ctx, nil, "env", "GOROOT")
		if err != nil {
			return nil, err
		}
		goRoot = strings.TrimSpace(goRoot)
		content, err := os.ReadFile(filepath.Join(goRoot, "lib", "wasm", name))
		if errors.Is(err, os.ErrNotExist) { // some systems put it where Go had it before 1.24
			content, err = os.ReadFile(filepath.Join(goRoot, "misc", "wasm", name))
		}
		return content, err
	}
	dir, err := os.MkdirTemp("", "seqzoo-living-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, name)
	if _, err := l.goTool(ctx, []string{"GOOS=js", "GOARCH=wasm"}, "build", "-trimpath",
		"-ldflags=-s -w", "-o", path, "./examples/living"); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func (l *livingFiles) goTool(ctx context.Context, env []string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Env = l.root, append(os.Environ(), env...)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return string(out), nil
}

// writeLiving writes the course into a folder, with what its living page loads.
func (r runner) writeLiving(ctx context.Context) error {
	r.built = true
	k, err := r.course()
	if err != nil {
		return err
	}
	if err := k.WriteFiles(r.living); err != nil {
		return err
	}
	fmt.Fprintln(r.messages, "building the network for the browser; the first time takes minutes")
	files := livingFiles{root: r.root}
	for _, name := range []string{livingStarter, livingProgram} {
		content, err := files.file(ctx, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.living, name), content, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.stdout, "the course is in %s; serve that folder, and open %s\n", r.living,
		course.PageName("living", r.language, "html"))
	return nil
}

// livingText is what stands above the network, by language.
var livingText = map[string]string{
	"en": `This page trains the network of [chapter 2](CHAPTER) in your browser, from nothing, with seqzoo's own cells, gradients and
engine, compiled to WebAssembly. It sees two numbers digit by digit, the lowest first, and has to find out by itself what a carry is.
Every update learns from one addition, drawn at random.

Choose how the network begins, press Start, and watch the loss. Which beginning learns first? Does the loss, once it is small, stay small? Why do tanh and
ReLU stay at a loss of about 0.04 while every answer is right? (There are no biases: what can such a network say of 0 + 0?) The last
four curves stay to be compared. The same settings and the same seed give the same curve. While it learns, ask it for a sum: even a sum that was
never shown to it comes out right, once the network has understood carrying. The address of the page keeps the settings, and a page that is opened with
them starts by itself.`,
	"ja": `このページは、[第 2 章](CHAPTER)のネットワークを、あなたのブラウザーの中で一から学習させます。セルも勾配も計算エンジンも seqzoo そのもので、Go
から WebAssembly にコンパイルしてあります。ネットワークは二つの数を下の桁から 1 桁ずつ読み、繰り上がりとは何かを自分で見つけなければなりません。
更新は 1 回ごとに、でたらめに選んだ足し算を 1 問だけ使います。

重みの始め方を選んで「始める」を押し、損失の動きを見てください。どの始め方がいちばん早く覚えるでしょうか。いったん小さくなった損失は、そのまま小さい
ままでしょうか。tanh や ReLU では、答えがすべて合っているのに損失が 0.04 あたりで止まります。なぜでしょうか（ヒント：バイアスがありません。0 + 0 には何と答えるでしょうか）。直前の 4 本までの曲線は、比べられるように残ります。設定と乱数の種が同じなら、曲線も同じです。学習の途中でも、足し算を尋ねることが
できます。繰り上がりを覚えてしまえば、一度も見せていない足し算にも正しく答えます。設定はページのアドレスに残り、そのアドレスを開くと、ひとりでに学習が始まります。`,
}

// livingWords are the words of the page that are not in its text, by language. The program puts
// values in the place of names in braces.
var livingWords = map[string]map[string]string{
	"en": {
		"loading": "Loading the network …", "noscript": "This page needs JavaScript.",
		"missing": "The network is not in this folder yet: go run ./examples -serve builds it and shows the course with it; " +
			"go run ./examples -living DIR writes the course with it into the folder DIR, for any file server.",
		"ended":      "The program of this page has ended. Load the page again.",
		"activation": "activation", "init": "first weights", "seed": "seed", "sigmoid": "sigmoid",
		"pace": "pace", "slow": "slow", "medium": "medium", "fast": "fast",
		"start": "Start", "stop": "Stop", "fresh": "New network",
		"ready":   "The network knows nothing yet.",
		"badseed": "The seed is a whole number from 0 to 4294967295.",
		"learned": "{done} additions; {right} of the last {of} were right.",
		"broken":  "Here the gradient exploded: it is no longer a finite number, and the training has ended.",
		"curve":   "loss, mean of 50 additions", "additions": "additions learned from",
		"alt": "The loss of {name} over {done} additions, from {from} to {to}.",
		"ask": "Ask it", "first": "first number", "second": "second number",
		"badnumber": "Two whole numbers from 0 to 127, please.",
		"right":     "right", "wrong": "wrong, it is {sum}",
		"place": "place", "one": "P(1)", "answer": "answer",
		"together": "How sure the network is of all digits together: {percent} %.",
	},
	"ja": {
		"loading": "ネットワークを読み込んでいます……", "noscript": "このページには JavaScript が必要です。",
		"missing": "ネットワークがまだこのフォルダーにありません。go run ./examples -serve とすれば、組み立てたうえで講座を表示します。" +
			"go run ./examples -living DIR とすれば、ネットワークを含む講座をフォルダー DIR に書き出すので、どのファイルサーバーにも置けます。",
		"ended":      "このページのプログラムが終了しました。ページを読み込み直してください。",
		"activation": "活性化関数", "init": "最初の重み", "seed": "乱数の種", "sigmoid": "シグモイド",
		"pace": "速さ", "slow": "ゆっくり", "medium": "ふつう", "fast": "最速",
		"start": "始める", "stop": "止める", "fresh": "新しいネットワーク",
		"ready":   "ネットワークはまだ何も知りません。",
		"badseed": "乱数の種は 0 から 4294967295 までの整数です。",
		"learned": "足し算 {done} 問。最近の {of} 問のうち {right} 問が正解。",
		"broken":  "ここで勾配が爆発しました。値が有限の数ではなくなったので、学習を終えます。",
		"curve":   "損失（50 問の平均）", "additions": "学習に使った足し算の数",
		"alt": "{name} の損失。足し算 {done} 問で {from} から {to} になった。",
		"ask": "尋ねてみる", "first": "一つ目の数", "second": "二つ目の数",
		"badnumber": "0 から 127 までの整数を二つ入れてください。",
		"right":     "正解", "wrong": "不正解。正しくは {sum}",
		"place": "位", "one": "1 の確率", "answer": "答え",
		"together": "すべての桁を合わせた確信の度合い：{percent} %。",
	},
}
