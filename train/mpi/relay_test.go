//go:build linux

package mpi_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var relayed = flag.Bool("relay", false, "train over a link that delays and drops packets; it "+
	"takes root, ip and minutes")

// namespace is a network of its own, with one device, whose packets the test moves.
type namespace struct {
	name, address string
	tun           *os.File
}

// newNamespace makes one. The other end of its device is at the file.
func newNamespace(t *testing.T, name, address string) namespace {
	ip := func(args ...string) {
		out, err := exec.Command("ip", args...).CombinedOutput()
		require.NoError(t, err, "ip %v: %s", args, out)
	}
	ip("netns", "add", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	tun := make(chan *os.File)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is in another network, and ends
		tun <- openTun(name)
	}()
	n := namespace{name, address, <-tun}
	require.NotNil(t, n.tun, "a TUN device in %s", name)
	ip("-n", name, "addr", "add", address+"/24", "dev", "tun0")
	ip("-n", name, "link", "set", "tun0", "up", "mtu", "1400")
	ip("-n", name, "link", "set", "lo", "up")
	return n
}

// openTun makes tun0 in a namespace, which the thread enters; nil if that fails.
func openTun(namespace string) *os.File {
	fd, err := unix.Open("/run/netns/"+namespace, unix.O_RDONLY, 0)
	if err != nil || unix.Setns(fd, unix.CLONE_NEWNET) != nil {
		return nil
	}
	defer unix.Close(fd)
	tun, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	request, err := unix.NewIfreq("tun0")
	if err != nil {
		return nil
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if unix.IoctlIfreq(tun, unix.TUNSETIFF, request) != nil {
		return nil
	}
	return os.NewFile(uintptr(tun), "tun of "+namespace)
}

// link moves packets from one device to the other: a share of them is lost, all others come late.
func link(from, to *os.File, delay time.Duration, loss float64, moved, lost *atomic.Int64) {
	type packet struct {
		data []byte
		due  time.Time
	}
	queue := make(chan packet, 4096)
	go func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.data)
			moved.Add(1)
		}
	}()
	defer close(queue)
	random := rand.New(rand.NewPCG(1, 2))
	for {
		data := make([]byte, 2048)
		n, err := from.Read(data)
		if err != nil {
			return
		}
		if random.Float64() < loss {
			lost.Add(1)
			continue
		}
		select {
		case queue <- packet{data[:n], time.Now().Add(delay)}:
		default:
			lost.Add(1) // the queue of a router is full, too
		}
	}
}

// Over a link that delays by 2 ms and loses one packet in a hundred, and over one of 20 Mbit/s, a
// training of two processes on two hosts gives the bits of one process, in bounded time.
//
//	go test ./train/mpi -run TestRelay -relay -v
func TestRelay(t *testing.T) {
	if !*relayed {
		t.Skip("-relay is not given: it takes root and minutes")
	}
	for _, l := range launchers(t) {
		for name, of := range map[string]struct {
			delay time.Duration
			loss  float64
			rate  string // of tc's token bucket; "" is as fast as it goes
		}{"late": {2 * time.Millisecond, 0.01, ""}, "slow": {0, 0, "20mbit"}} {
			t.Run(l.Name+" "+name, func(t *testing.T) {
				out, err := l.run(t, 1, roleVariable+"=learn", "SEQZOO_TEST_MPI_DIR="+t.TempDir())
				want := digestIn(t, out, err)
				id := strconv.Itoa(os.Getpid())
				a, b := newNamespace(t, "seqzoo-a"+id, "10.97.0.1"), newNamespace(t, "seqzoo-b"+id,
					"10.97.0.2")
				var moved, lost atomic.Int64
				if of.rate != "" {
					for _, n := range []namespace{a, b} {
						out, err := exec.Command("ip", "netns", "exec", n.name, "tc", "qdisc",
							"add", "dev", "tun0", "root",
							"tbf", "rate", of.rate, "burst", "32kbit", "latency",
							"400ms").CombinedOutput()
						require.NoError(t, err, "%s", out)
					}
				}
				go link(a.tun, b.tun, of.delay, of.loss, &moved, &lost)
				go link(b.tun, a.tun, of.delay, of.loss, &moved, &lost)
				t.Cleanup(func() { a.tun.Close(); b.tun.Close() })

				dir := t.TempDir()
				ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
				defer cancel()
				c := l.between(t, ctx, a, b, dir)
				var all bytes.Buffer
				c.Stdout, c.Stderr = &all, &all
				begun := time.Now()
				err = c.Run()
				require.Equal(t, want, digestIn(t, all.String(), err))
				t.Logf("%s: %v; %d packets came late, %d were lost", l.Name,
					time.Since(begun).Round(time.Second), moved.Load(), lost.Load())
			})
		}
	}
}

// between starts a process in each of two namespaces, which have host names of their own.
func (l launcher) between(t *testing.T, ctx context.Context, a, b namespace, dir string) *exec.Cmd {
	agent := filepath.Join(t.TempDir(), "agent")
	script := fmt.Sprintf(`#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
host=$1; shift
ns=%s; [ "$host" = %s ] && ns=%s
exec ip netns exec $ns unshare --uts sh -c 'hostname "$0"; exec sh -c "$*"' $ns "$@"
`, a.name, b.address, b.name)
	require.NoError(t, os.WriteFile(agent, []byte(script), 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	args := []string{"netns", "exec", a.name, "unshare", "--uts", "sh", "-c",
		`hostname "$0"; exec "$@"`, a.name, l.Name}
	if l.Name == "mpirun.openmpi" {
		args = append(args, "-n", "2", "--host", a.address+":1,"+b.address+":1",
			"--allow-run-as-root",
			"--bind-to", "none", "--mca", "plm_rsh_agent", agent, "--mca", "plm_rsh_no_tree_spawn",
			"1",
			"--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "tun0", "--mca",
			"oob_tcp_if_include", "tun0",
			"-x", roleVariable, "-x", "SEQZOO_TEST_MPI_DIR", "-x", "GOMAXPROCS")
	} else {
		args = append(args, "-n", "2", "-hosts", a.address+","+b.address, "-launcher", "ssh",
			"-launcher-exec",
			agent, "-iface", "tun0", "-genvlist",
			roleVariable+",SEQZOO_TEST_MPI_DIR,GOMAXPROCS,FI_PROVIDER,FI_TCP_IFACE,UCX_TLS,UCX_NET_DEVICES")
	}
	c := exec.CommandContext(ctx, "ip", append(args, self)...)
	c.Env = append(os.Environ(), roleVariable+"=learn", "SEQZOO_TEST_MPI_DIR="+dir, "GOMAXPROCS=1",
		"UCX_TLS=tcp,self", "UCX_NET_DEVICES=tun0", "FI_PROVIDER=tcp", "FI_TCP_IFACE=tun0")
	return c
}
