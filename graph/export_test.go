package graph

// ShareAll has workers share every instruction, however small.
func ShareAll() Option { return func(c *config) { c.least = 1 } }
