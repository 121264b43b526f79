package train

import (
	"cmp"
	"slices"
)

// span is a part of a parameter, and where it stands in its process's segment.
type span struct{ slot, from, to, at int }

// divide shares the blocks of all parameters out among n processes: of each parameter a process
// gets one span or none. Large parameters are divided each by itself, so that everybody has as much
// as others of those of whose gradients all rows are summed and sent, and of those of which a few
// are. The rest is divided as one.
func (l *layout) divide(n int) [][]span {
	const (
		each  = 4  // blocks to a process make a parameter large,
		share = 16 // and so does that part of all
	)
	all := make([][]span, n)
	give := func(blocks []block) {
		for r := range all {
			from, to := ShardRows(len(blocks), r, n)
			all[r] = append(all[r], spansOf(blocks[from:to])...)
		}
	}
	var rest []block
	for _, s := range l.slots {
		blocks := l.blocks[s.blocks.from:s.blocks.to]
		if len(blocks) >= each*n && share*len(blocks) >= len(l.blocks) {
			give(blocks)
		} else {
			rest = append(rest, blocks...)
		}
	}
	give(rest)
	for _, spans := range all {
		slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.slot, b.slot) })
	}
	return all
}

// spansOf joins the blocks of each parameter.
func spansOf(blocks []block) (spans []span) {
	for _, b := range blocks {
		if n := len(spans); n > 0 && spans[n-1].slot == b.slot {
			spans[n-1].to = b.to
		} else {
			spans = append(spans, span{slot: b.slot, from: b.from, to: b.to})
		}
	}
	return spans
}

// spanOf is the one of a parameter; nil if there is none.
func spanOf(spans []span, slot int) *span {
	for i := range spans {
		if spans[i].slot == slot {
			return &spans[i]
		}
	}
	return nil
}
