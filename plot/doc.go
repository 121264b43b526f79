// Package plot draws figures in one style: curves with bands over seeds, bars, and heat maps such
// as the weights of an attention. A figure has a title, named axes and a legend outside of its
// axes; its colours differ for most kinds of colour vision (Okabe and Ito, 2008). It is written as
// SVG, which follows the colours of the page that it stands in, or as PNG.
//
//	p := plot.Plot{Title: "Binary addition", X: "example", Y: "loss", LogY: true}
//	p.AddRuns("sigmoid", examples, losses) // losses of several seeds: their median and their range
//	err := p.WriteSVG(w)
//
// Titles and names may be in Japanese. A PNG with a letter that the embedded fonts have no glyph
// for, such as an emoji, is an error, not a picture with an empty box; SVG is shown with the fonts
// of the reader's system. The fonts are subsets of Noto Sans CJK JP (SIL Open Font License 1.1) and
// of DejaVu Sans (Bitstream Vera's licence); fonts/LICENSES.txt has both licences.
package plot
