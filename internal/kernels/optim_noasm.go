//go:build !amd64 || noasm

package kernels

func (c *AdamStep[F]) fast(_, _, _, _, _ []F) bool { return false }
func fastSquares[F Float]([]F) (float64, bool)     { return 0, false }
