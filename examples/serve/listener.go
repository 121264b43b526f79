package main

import (
	"net"
	"sync"
	"sync/atomic"
)

// limited is a listener with so many connections at a time. Others wait to be accepted.
type limited struct {
	net.Listener
	room chan struct{}
	open *atomic.Int64
}

func (l *limited) Accept() (net.Conn, error) {
	l.room <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	l.open.Add(1)
	return &counted{Conn: c, closed: func() { l.open.Add(-1); <-l.room }}, nil
}

type counted struct {
	net.Conn
	once   sync.Once
	closed func()
}

// CloseWrite ends what is sent, as net/http does before it closes the connection of a client who is
// still sending: closed at once, the connection would be reset before the answer is read.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *counted) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}
