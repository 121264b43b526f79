//go:build noasm || !amd64

package kernels

// Scripts reports whether scripts run at the level in use.
func Scripts() bool { return false }

func runScript(*Script) { panic("kernels: scripts need assembly") }
