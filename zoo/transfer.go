package zoo

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

// Transfer gives parameters of one model the values of those of another, such as a pretrained one
// that Load read, and returns how many. Name says for each parameter of to which of from it takes;
// "" leaves it as it is, and so does a name that is nil for names that from lacks. One that is
// named and absent, or of another shape, is an error that lists all, of the kind ErrMisfit, and
// then nothing is changed.
func Transfer(to, from Model, name func(param string) string) (taken int, err error) {
	if to == nil || from == nil || to.Params() == nil || from.Params() == nil {
		return 0, errors.New("zoo: transfer: a model is nil, or has no parameters")
	}
	type pair struct{ to, from *nodes.Param }
	var pairs []pair
	var differ []string
	for _, p := range to.Params().Params() {
		want := p.Name()
		if name != nil {
			want = name(want)
		}
		q, ok := from.Params().Get(want)
		switch {
		case want == "" || !ok && name == nil:
		case !ok:
			differ = append(differ, fmt.Sprintf("%s asks for %s, which is not there", p.Name(),
				want))
		case !slices.Equal(p.Shape(), q.Shape()):
			differ = append(differ, fmt.Sprintf("%s is %s, and %s is %s", p.Name(),
				ops.ShapeString(p.Shape()), want, ops.ShapeString(q.Shape())))
		default:
			pairs = append(pairs, pair{p, q})
		}
	}
	if err := misfit("zoo: transfer: the "+from.Architecture(), differ); err != nil {
		return 0, err
	}
	for _, p := range pairs {
		run.ParamFloats(p.to).Put64(0, run.ParamFloats(p.from).Float64s())
	}
	return len(pairs), nil
}
