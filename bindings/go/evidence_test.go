package deprov

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func export(t testing.TB, w *world) []byte {
	var out bytes.Buffer
	if err := w.engine.Evidence(w.ctx, w.by(), nil, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func verify(t testing.TB, export []byte, options VerifyOptions) *Verdict {
	verdict, err := VerifyEvidence(bytes.NewReader(export), options)
	if err != nil {
		t.Fatal(err)
	}
	return verdict
}

// What tampering is found, the scenario shows.
func TestEvidenceHolds(t *testing.T) {
	w := inMemory(t)
	w.addUser("ann@example.com")
	whole := export(t, w)
	verdict := verify(t, whole, VerifyOptions{})
	if !verdict.Holds || verdict.Chains != 2 || verdict.Records == 0 || len(verdict.Problems) != 0 {
		t.Fatal(verdict)
	}
	if !testing.Short() { // garbage may be collected for each piece
		bytewise, err := VerifyEvidence(iotest.OneByteReader(bytes.NewReader(whole)), VerifyOptions{})
		if err != nil || bytewise.Records != verdict.Records || !bytewise.Holds {
			t.Fatal(err, bytewise)
		}
	}
	if again := verify(t, whole, VerifyOptions{ManifestSHA256: verdict.ManifestSHA256}); !again.Holds {
		t.Fatal(again)
	}
	if other := verify(t, whole, VerifyOptions{ManifestSHA256: strings.Repeat("a", 64)}); other.Holds || other.Problems[0].Kind != "manifest" {
		t.Fatal(other)
	}
	lines := bytes.Split(bytes.TrimSpace(whole), []byte("\n"))
	w.addUser("bob@example.com")
	if later := verify(t, export(t, w), VerifyOptions{Earlier: lines[len(lines)-1]}); !later.Holds {
		t.Fatal(later)
	}
}

func TestWhatCannotBeVerified(t *testing.T) {
	if verdict := verify(t, []byte("hello\n"), VerifyOptions{}); verdict.Holds || verdict.Problems[0].Kind != "unreadable" {
		t.Fatal(verdict)
	}
	broken := errors.New("the disk is broken")
	if _, err := VerifyEvidence(iotest.ErrReader(broken), VerifyOptions{}); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := VerifyEvidence(strings.NewReader(""), VerifyOptions{ManifestSHA256: "ab"}); err == nil {
		t.Fatal("that is no hash")
	}
	if _, err := VerifyEvidence(strings.NewReader(""), VerifyOptions{Earlier: []byte("{")}); !errors.Is(err, ErrInvalidSyntax) {
		t.Fatal(err)
	}
}
