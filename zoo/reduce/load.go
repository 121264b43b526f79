package reduce

import "github.com/seqzoo/seqzoo/zoo"

// LoadPCA is Load for a directory that must hold a PCA.
func LoadPCA(dir string) (*PCA, error) { return zoo.LoadAs[*PCA](dir, "a PCA") }

// LoadAutoencoder is Load for a directory that must hold an Autoencoder.
func LoadAutoencoder(dir string) (*Autoencoder, error) {
	return zoo.LoadAs[*Autoencoder](dir, "an Autoencoder")
}

// LoadVAE is Load for a directory that must hold a VAE.
func LoadVAE(dir string) (*VAE, error) { return zoo.LoadAs[*VAE](dir, "a VAE") }

// LoadRecurrentAutoencoder is Load for a directory that must hold a RecurrentAutoencoder.
func LoadRecurrentAutoencoder(dir string) (*RecurrentAutoencoder, error) {
	return zoo.LoadAs[*RecurrentAutoencoder](dir, "a RecurrentAutoencoder")
}

// Files are the files that Save writes beside the weights.
func (m *PCA) Files() zoo.Files { return zoo.Files{Config: m.cfg} }

// Files are the files that Save writes beside the weights.
func (m *VAE) Files() zoo.Files { return zoo.Files{Config: m.cfg} }

// Files are the files that Save writes beside the weights.
func (m *RecurrentAutoencoder) Files() zoo.Files { return zoo.Files{Config: m.cfg} }

// Files are the files that Save writes beside the weights.
func (m *Autoencoder) Files() zoo.Files { return zoo.Files{Config: m.cfg} }
