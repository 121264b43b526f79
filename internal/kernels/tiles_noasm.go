//go:build !amd64 || noasm

package kernels

func (t *tiles[F]) run(Level) { t.portable() }
