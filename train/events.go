package train

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Events writes the rows of a history to a file that TensorBoard reads: each metric is a scalar
// under its name, over the steps. Its Row is a callback:
//
//	events, err := train.OpenEvents("runs/gru")
//	// …
//	defer events.Close()
//	config.OnRow = append(config.OnRow, events.Row)
//
// Several runs in folders side by side are curves of one picture. A training that is resumed opens
// the same directory again, which gets one more file; what the earlier ones hold from its first row
// on, TensorBoard then leaves out. Values are float32, as TensorBoard keeps scalars.
type Events struct {
	out   io.WriteCloser
	now   func() time.Time
	begun bool
}

// OpenEvents makes a new file of events in dir, which is made if need be.
func OpenEvents(dir string) (*Events, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("train: events: %w", err)
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	f, err := newEventFile(filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.%s",
		time.Now().Unix(), filepath.Base(host))))
	if err != nil {
		return nil, fmt.Errorf("train: events: %w", err)
	}
	e := &Events{out: f, now: time.Now}
	if err := e.write(e.event(0).text(eventVersion, "brain.Event:2")); err != nil {
		f.Close()
		return nil, fmt.Errorf("train: events: %w", err)
	}
	return e, nil
}

// newEventFile makes a file that comes after all of the same name and second: TensorBoard reads the
// files of a directory in the order of their names.
func newEventFile(name string) (*os.File, error) {
	for n := 0; ; n++ {
		f, err := os.OpenFile(fmt.Sprintf("%s.%06d", name, n), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// Row writes a row of a history: an event for all its metrics.
func (e *Events) Row(r Row) error {
	if e.out == nil {
		return errors.New("train: events: Row of an Events that is closed, or that OpenEvents " +
			"did not make")
	}
	if !e.begun {
		e.begun = true
		// TensorBoard drops what earlier files hold from this step on. A row of a validation alone
		// comes after one of the same step, which must stay.
		from := r.Step
		if _, ok := r.Metrics["loss"]; !ok {
			from++
		}
		start := message{}.varint(sessionStatus, sessionStart)
		if err := e.write(e.event(from).message(eventSession, start)); err != nil {
			return fmt.Errorf("train: events: %w", err)
		}
	}
	var summary message
	for _, name := range slices.Sorted(maps.Keys(r.Metrics)) {
		value := message{}.text(valueTag, name).float(valueSimple, float32(r.Metrics[name]))
		summary = summary.message(summaryValue, value)
	}
	if err := e.write(e.event(r.Step).message(eventSummary, summary)); err != nil {
		return fmt.Errorf("train: events: %w", err)
	}
	return nil
}

// Close ends the file. To close it again does nothing.
func (e *Events) Close() error {
	if e.out == nil {
		return nil
	}
	err := e.out.Close()
	e.out = nil
	return err
}

// event begins an event of a step.
func (e *Events) event(step int) message {
	wall := float64(e.now().UnixNano()) / 1e9
	return message{}.double(eventWallTime, wall).varint(eventStep, uint64(step))
}

// write frames an event as a record of TFRecord: its length, the checksum of that, its bytes, the
// checksum of those; in one call, so that a reader sees a whole record or the end of the file.
func (e *Events) write(event message) error {
	record := binary.LittleEndian.AppendUint64(nil, uint64(len(event)))
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(record))
	record = append(record, event...)
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(event))
	_, err := e.out.Write(record)
	return err
}

// maskedCRC is the CRC-32C of data, turned and shifted, since the checksum of data that hold
// checksums is a poor one (TensorFlow, tsl/lib/hash/crc32c.h).
func maskedCRC(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// The fields of TensorBoard's messages that are written here (tensorboard/compat/proto:
// event.proto, summary.proto).
const (
	eventWallTime = 1 // double, seconds
	eventStep     = 2 // int64
	eventVersion  = 3 // string
	eventSummary  = 5 // Summary
	eventSession  = 7 // SessionLog

	sessionStatus = 1 // enum
	sessionStart  = 1

	summaryValue = 1 // repeated Summary.Value
	valueTag     = 1 // string
	valueSimple  = 2 // float
)

// message is a message of Protocol Buffers, field by field.
type message []byte

// The wire types of fields.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

func (m message) key(field, wire int) message {
	return binary.AppendUvarint(m, uint64(field<<3|wire))
}

func (m message) varint(field int, v uint64) message {
	return binary.AppendUvarint(m.key(field, wireVarint), v)
}

func (m message) double(field int, v float64) message {
	return binary.LittleEndian.AppendUint64(m.key(field, wireFixed64), math.Float64bits(v))
}

func (m message) float(field int, v float32) message {
	return binary.LittleEndian.AppendUint32(m.key(field, wireFixed32), math.Float32bits(v))
}

func (m message) text(field int, s string) message {
	return append(binary.AppendUvarint(m.key(field, wireBytes), uint64(len(s))), s...)
}

func (m message) message(field int, inner message) message { return m.text(field, string(inner)) }
