package deprov

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"encoding/json"
	"io"
	"runtime"
	"unsafe"
)

// VerifyOptions say what an export is held against besides itself.
type VerifyOptions struct {
	ManifestSHA256 string // noted elsewhere; or empty
	Earlier        []byte // the manifest (JSON) of an earlier export, whose heads have to be there unchanged; or nil
}

// Verdict is what is known of an export of evidence.
type Verdict struct {
	Holds          bool      `json:"holds"` // no record was edited, removed, inserted or reordered, and it is whole
	Chains         int64     `json:"chains"`
	Records        int64     `json:"records"`
	Details        int64     `json:"details"`
	DetailsDeleted int64     `json:"details_deleted"` // whose hash holds, and whose detail retention deleted
	ProblemCount   int64     `json:"problem_count"`
	Problems       []Problem `json:"problems"` // the first 1000
	ManifestSHA256 string    `json:"manifest_sha256"`
}

// Problem is what is wrong with an export; what is not known of it is empty or 0.
type Problem struct {
	Kind        string `json:"kind"` // edited, removed, inserted, reordered, truncated, unreadable, manifest
	Integration string `json:"integration"`
	Chain       string `json:"chain"`
	Seq         uint64 `json:"seq"` // of the record, or the first of several
	LastSeq     uint64 `json:"last_seq"`
	Line        uint64 `json:"line"` // of the export, from 1 on
	What        string `json:"what"` // for people
}

// VerifyEvidence checks an export, such as Engine.Evidence and `deprov evidence export` write: without its store, without
// an engine, piece by piece in constant memory. That it does not hold is no error.
//
// Errors: those of the reader; ErrInvalidArgument, ErrInvalidSyntax and ErrStoreCorrupt of the options.
func VerifyEvidence(export io.Reader, options VerifyOptions) (*Verdict, error) {
	o := (*C.deprov_verifier_options)(C.calloc(1, C.sizeof_deprov_verifier_options))
	defer C.free(unsafe.Pointer(o))
	o.struct_size = C.sizeof_deprov_verifier_options
	o.manifest_sha256, o.earlier = cBytes(options.ManifestSHA256), cBytes(string(options.Earlier))
	defer freeStr(o.manifest_sha256)
	defer freeStr(o.earlier)
	var verifier *C.deprov_verifier
	var why *C.deprov_error
	atBorder()
	if err := takeError(C.deprov_verifier_new(o, &verifier, &why), why); err != nil {
		return nil, err
	}
	defer C.deprov_verifier_free(verifier)
	piece := make([]byte, 256<<10)
	for {
		n, err := export.Read(piece)
		if n > 0 {
			atBorder()
			fed := C.deprov_go_verify(verifier, (*C.char)(unsafe.Pointer(&piece[0])), C.size_t(n))
			runtime.KeepAlive(piece)
			if err := takeError(fed.status, fed.error); err != nil {
				return nil, err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	var report *C.deprov_buffer
	if err := takeError(C.deprov_verifier_finish(verifier, nil, &report, &why), why); err != nil {
		return nil, err
	}
	defer C.deprov_buffer_free(report)
	verdict := new(Verdict)
	if err := json.Unmarshal(goBytes(C.deprov_buffer_get(report)), verdict); err != nil {
		return nil, &Error{Status: ErrProtocol, Detail: "the report does not fit", Where: "evidence", cause: err}
	}
	return verdict, nil
}
