//go:build !amd64 || noasm

package kernels

func fastBinary[F Float](op int, dst, a, b []F) bool   { return false }
func fastScalar[F Float](op int, dst, x []F, s F) bool { return false }
func fastUnary[F Float](op int, dst, x []F) bool       { return false }
func fastSelect[F Float](dst, c, a, b []F) bool        { return false }
func fastSum[F Float](x []F) (F, bool)                 { return 0, false }
func fastDot[F Float](x, y []F) (F, bool)              { return 0, false }
func fastMaxOf[F Float](x []F) (F, bool)               { return 0, false }
