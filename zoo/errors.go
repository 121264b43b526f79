package zoo

import "github.com/seqzoo/seqzoo/internal/check"

// ConfigError is all that is wrong with a configuration, a line for each field: what the constructors of all models, and
// every Validate, return for one that is out of range.
type ConfigError = check.Error
