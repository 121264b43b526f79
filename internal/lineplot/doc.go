// Package lineplot draws curves as SVG: no script, no font and nothing to load, so a figure looks
// the same in a browser, in a report and in a repository.
package lineplot
