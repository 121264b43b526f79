//go:build race

package word2vec

func init() { raceDetector = true }
