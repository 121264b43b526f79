package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // pictures may be of these forms
	_ "image/png"
	"math"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func forecasting(m *forecast.Model) alone {
	return func(_ context.Context, q *question, state zoo.State, _ func(string)) (*answer,
		zoo.State, error) {
		rows, err := m.Forecast(q.Rows)
		return &answer{Forecast: rows}, state, bad(err)
	}
}

func captioning(m *caption.Model) (alone, error) {
	cut, err := m.Config().Text.Tokeniser()
	return func(ctx context.Context, q *question, state zoo.State, _ func(string)) (*answer,
		zoo.State, error) {
		content, err := base64.StdEncoding.DecodeString(q.Picture)
		if err != nil {
			return nil, state, bad(fmt.Errorf("picture: %w", err))
		}
		// how large it claims to be is looked at before it is
		c, _, err := image.DecodeConfig(bytes.NewReader(content))
		if err == nil && (c.Width > caption.MaxPicture || c.Height > caption.MaxPicture) {
			err = fmt.Errorf("it is %d×%d; at most %d either way", c.Width, c.Height,
				caption.MaxPicture)
		}
		if err != nil {
			return nil, state, bad(fmt.Errorf("picture: %w", err))
		}
		picture, _, err := image.Decode(bytes.NewReader(content))
		if err != nil {
			return nil, state, bad(fmt.Errorf("picture: %w", err))
		}
		found, err := m.Caption(ctx, picture, decode.SearchOptions{Max: q.Max, Beam: q.Beam})
		if err != nil || len(found) == 0 {
			return nil, state, bad(err)
		}
		return &answer{Text: cut.Join(found[0].Tokens)}, state, nil
	}, err
}

func emojis(m *emoji.Model) alone {
	return func(_ context.Context, q *question, state zoo.State, _ func(string)) (*answer,
		zoo.State, error) {
		tokens, err := text.Words{Lower: true}.Tokens(q.Text)
		if err != nil {
			return nil, state, bad(err)
		}
		if q.Next == 0 {
			q.Next = 5
		}
		found, _, err := m.Similar(tokens, nil, q.Next)
		if err != nil {
			return nil, state, bad(err)
		}
		a := &answer{}
		for _, f := range found {
			a.Emoji = append(a.Emoji, scored{f.Word, f.Similarity})
		}
		return a, state, nil
	}
}

func reducing(m reduce.Reducer) alone {
	return func(_ context.Context, q *question, state zoo.State, _ func(string)) (*answer,
		zoo.State, error) {
		var x []float32
		for i, row := range q.Rows {
			if len(row) != m.Features() {
				return nil, state, bad(fmt.Errorf("row %d has %d numbers; the model reads %d", i,
					len(row), m.Features()))
			}
			for _, v := range row {
				x = append(x, float32(v))
			}
		}
		if len(x) == 0 {
			return nil, state, bad(errors.New("there are no rows"))
		}
		codes, err := m.Transform(x)
		if err != nil {
			return nil, state, bad(err)
		}
		errs, err := m.Errors(x)
		if err != nil {
			return nil, state, bad(err)
		}
		a := &answer{}
		for i, e := range errs {
			a.Codes = append(a.Codes, codes[i*m.Codes():(i+1)*m.Codes()])
			a.Errors = append(a.Errors, min(e, math.MaxFloat64)) // JSON has no infinity
			a.Anomalous = append(a.Anomalous, m.Threshold() > 0 && !(e <= m.Threshold()))
		}
		return a, state, nil
	}
}
