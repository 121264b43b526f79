//go:build !noasm

package kernels

import "unsafe"

//go:noescape
func scriptF32AVX512(s *byte)

// Scripts reports whether scripts run at the level in use.
func Scripts() bool { return level == AVX512 && !withoutScripts }

func runScript(s *Script) { scriptF32AVX512((*byte)(unsafe.Pointer(s))) }
