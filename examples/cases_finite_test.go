package main_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func init() {
	// A row that overflows in validation is named, and no model is saved as if all were well.
	checks["vae-nan-validation"] = func(t *testing.T, c *input) {
		o := c.command(t)
		require.Equal(t, 1, o.code, o)
		require.NotContains(t, o.out+o.messages, "saved")
		lines := strings.Split(strings.TrimSpace(c.read(t, "a.csv")), "\n")[1:]
		outlier := slices.IndexFunc(lines, func(line string) bool {
			return slices.ContainsFunc(strings.Split(line, ","), func(field string) bool {
				v, err := strconv.ParseFloat(field, 64)
				return err == nil && (v > 1000 || v < -1000)
			})
		})
		require.Contains(t, o.messages, fmt.Sprintf("this is row %d of those read", outlier))
		require.Contains(t, o.messages, "Exp is +Inf")
	}
	// Rows at the end of the range of float32 are anomalies for models of every kind.
	checks["huge-rows"] = func(t *testing.T, c *input) {
		for _, kind := range []string{"autoencoder", "pca", "vae", "recurrent"} {
			args := []string{"train", "-kind", kind, "-data", "a.csv", "-code", "1", "-epochs", "1",
				"-save", kind, "-batch", "16"}
			if kind == "autoencoder" || kind == "vae" {
				args = append(args, "-widths", "4")
			}
			o := c.run(t, "", "autoencoder", args...)
			require.Zero(t, o.code, o)
			o = c.run(t, "3e38,1\n-3e38,3e38\n3e38,3e38\n", "autoencoder", "anomaly", "-model",
				kind)
			require.Zero(t, o.code, o)
			require.Equal(t, 3, strings.Count(o.out, "anomaly"), o)
			o = c.run(t, "1,1\n", "autoencoder", "anomaly", "-model", kind, "-threshold", "Inf")
			require.Equal(t, 2, o.code, o)
			require.NoError(t, os.RemoveAll(c.file(kind)))
		}
	}
}
