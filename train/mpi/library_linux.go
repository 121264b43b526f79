package mpi

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/seqzoo/seqzoo/internal/launch"
)

// library is an MPI library that has been opened: its functions and its constants. A handle is a
// number or a pointer, and fits a uintptr either way.
type library struct {
	name string // as it calls itself
	functions
	world, byteType, floatType, doubleType, sum, errorsReturn uintptr
	inPlace                                                   uintptr
}

// functions are the addresses of those that are called.
type functions struct {
	initThread, finalize, abort, libraryVersion, errorString uintptr
	commRank, commSize, commDup, commSetErrhandler           uintptr
	ialltoallv, iallgatherv, iallreduce, ibcast, ibarrier    uintptr
	isend, irecv, test                                       uintptr
}

func (f *functions) byName() map[string]*uintptr {
	return map[string]*uintptr{
		"MPI_Init_thread": &f.initThread, "MPI_Finalize": &f.finalize, "MPI_Abort": &f.abort,
		"MPI_Get_library_version": &f.libraryVersion, "MPI_Error_string": &f.errorString,
		"MPI_Comm_rank": &f.commRank, "MPI_Comm_size": &f.commSize, "MPI_Comm_dup": &f.commDup,
		"MPI_Comm_set_errhandler": &f.commSetErrhandler, "MPI_Ialltoallv": &f.ialltoallv,
		"MPI_Iallgatherv": &f.iallgatherv, "MPI_Iallreduce": &f.iallreduce, "MPI_Ibcast": &f.ibcast,
		"MPI_Ibarrier": &f.ibarrier, "MPI_Isend": &f.isend, "MPI_Irecv": &f.irecv,
		"MPI_Test": &f.test,
	}
}

// open finds the library for a launcher.
func open(l launch.Launcher) (*library, error) {
	names := libraries(l)
	if path := os.Getenv(LibraryVariable); path != "" {
		names = []string{path}
	}
	var errs []error
	for _, name := range names {
		// its parts look for its symbols among those of the program
		handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err == nil {
			lib, e := newLibrary(handle)
			if e == nil {
				return lib, nil
			}
			err = e
		}
		errs = append(errs, err)
	}
	return nil, notFound(l, names, errs)
}

func newLibrary(handle uintptr) (*library, error) {
	lib := &library{}
	for name, at := range lib.byName() {
		var err error
		if *at, err = purego.Dlsym(handle, name); err != nil {
			return nil, fmt.Errorf("it has no %s, which MPI 3 has: %w", name, err)
		}
	}
	version, length := make([]byte, 8192+1), new(int32)
	purego.SyscallN(lib.libraryVersion, uintptr(unsafe.Pointer(&version[0])),
		uintptr(unsafe.Pointer(length)))
	text, _, _ := bytes.Cut(version, []byte{0})
	lib.name, _, _ = strings.Cut(strings.TrimSpace(string(text)), "\n")
	return lib, lib.constants(handle)
}

// constants sets what each library calls otherwise: Open MPI has symbols, MPICH numbers, and the
// standard interface of MPI 5 (its mpi.h) other numbers.
func (lib *library) constants(handle uintptr) error {
	if _, err := purego.Dlsym(handle, "ompi_mpi_comm_world"); err == nil {
		for name, to := range map[string]*uintptr{
			"ompi_mpi_comm_world": &lib.world, "ompi_mpi_byte": &lib.byteType,
			"ompi_mpi_float": &lib.floatType, "ompi_mpi_double": &lib.doubleType,
			"ompi_mpi_op_sum": &lib.sum, "ompi_mpi_errors_return": &lib.errorsReturn,
		} {
			if *to, err = purego.Dlsym(handle, name); err != nil {
				return fmt.Errorf("it is Open MPI without %s: %w", name, err)
			}
		}
		lib.inPlace = 1
		return nil
	}
	if _, err := purego.Dlsym(handle, "MPI_Abi_get_version"); err == nil && !lib.mpich() {
		lib.world, lib.byteType, lib.floatType, lib.doubleType = 0x101, 0x247, 0x210, 0x214
		lib.sum, lib.errorsReturn, lib.inPlace = 0x21, 0x143, 1
		return nil
	}
	if lib.mpich() {
		lib.world, lib.byteType = 0x44000000, 0x4c00010d
		lib.floatType, lib.doubleType = 0x4c00040a, 0x4c00080b
		lib.sum, lib.errorsReturn, lib.inPlace = 0x58000003, 0x54000001, ^uintptr(0)
		return nil
	}
	return fmt.Errorf("it calls itself %q, and is neither Open MPI nor MPICH or one of its "+
		"relatives, nor of the standard interface of MPI 5", cmp.Or(lib.name, "nothing"))
}

// mpich reports whether the numbers are MPICH's, which its relatives share.
func (lib *library) mpich() bool {
	for _, name := range []string{"MPICH", "Intel", "MVAPICH", "CRAY MPICH"} {
		if strings.Contains(lib.name, name) {
			return true
		}
	}
	return false
}

// failed is the error of a return code.
func (lib *library) failed(call string, code uintptr) error {
	if int32(code) == 0 {
		return nil
	}
	text, length := make([]byte, 512+1), new(int32)
	purego.SyscallN(lib.errorString, code, uintptr(unsafe.Pointer(&text[0])),
		uintptr(unsafe.Pointer(length)))
	reason, _, _ := bytes.Cut(text, []byte{0})
	return fmt.Errorf("mpi: %s: %s", call, reason)
}
