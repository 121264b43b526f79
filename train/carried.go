package train

import (
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/run"
)

// SaveState adds a state to a checkpoint under a name.
func SaveState(to *Checkpoint, name string, s *run.State) {
	if to == nil {
		return
	}
	for i, t := range s.Tensors() {
		if to.Tensors == nil {
			to.Tensors = map[string]*tensor.Dense{}
		}
		to.Tensors[stateName(name, i)] = t
	}
}

// LoadState takes back what SaveState added. After an error part of the state may be the old one.
func LoadState(from *Checkpoint, name string, s *run.State) error {
	if from == nil || s == nil {
		return errors.New("train: LoadState: the checkpoint or the state is nil")
	}
	for i, part := range s.Parts() {
		key := stateName(name, i)
		saved := from.Tensors[key]
		if saved == nil {
			return fmt.Errorf("train: the checkpoint has no state %q: it was made with "+
				"other layers", key)
		}
		numbers, err := run.FloatsOf(saved)
		if err == nil {
			err = part.Copy(numbers)
		}
		if err != nil {
			return fmt.Errorf("train: state %q: %w: the checkpoint was made with other sizes", key,
				err)
		}
	}
	return nil
}

func stateName(name string, part int) string { return fmt.Sprintf("%s %d", name, part) }

// The counters of a position.
const positionEpoch, positionNext = "data_epoch", "data_next"

// SavePosition notes in a checkpoint where the batches of a task stand.
func SavePosition(to *Checkpoint, p Position) {
	if to == nil {
		return
	}
	if to.Counters == nil {
		to.Counters = map[string]uint64{}
	}
	to.Counters[positionEpoch], to.Counters[positionNext] = uint64(p.Epoch), uint64(p.Next)
}

// LoadPosition returns the position that SavePosition kept; without one the start of the first
// epoch.
func LoadPosition(from *Checkpoint) (Position, error) {
	if from == nil {
		return Position{}, errors.New("train: LoadPosition: the checkpoint is nil")
	}
	return Position{Epoch: int(from.Counters[positionEpoch]),
		Next: int(from.Counters[positionNext])}, nil
}
