package deprov

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Endpoints are parts of what an engine answers over HTTP.
type Endpoints int

const (
	SCIMEndpoints       Endpoints = 1 << iota // /scim/v2/{integration}/…, for IdPs, by the integration's token
	AdminEndpoints                            // /api/v1/…, for people and programs, by the token of a principal
	OperationsEndpoints                       // /healthz, /readyz, /metrics
	EventEndpoints                            // /events/{source}, where an IdP pushes signed security events or calls a source
)

// Handler is an http.Handler for an engine's endpoints. Bodies that come in pieces are passed on as they come; the
// work behind them ends with the request's context. Its fields are not changed while it serves.
type Handler struct {
	Engine *Engine
	// Endpoints that are served; everything else is 404. 0: all.
	Endpoints Endpoints
	// MaxBody is how large a request may be; more is answered 413. 0: 16 MiB.
	MaxBody int64
	// Peer is the address of a client, for the activity; nil: that of the connection.
	Peer func(*http.Request) string
}

// Handler serves all endpoints.
func (e *Engine) Handler() *Handler { return &Handler{Engine: e} }

// SCIMHandler serves those of SCIM alone.
func (e *Engine) SCIMHandler() *Handler { return &Handler{Engine: e, Endpoints: SCIMEndpoints} }

// AdminHandler serves the admin API alone.
func (e *Engine) AdminHandler() *Handler { return &Handler{Engine: e, Endpoints: AdminEndpoints} }

// EventHandler serves those of security events alone.
func (e *Engine) EventHandler() *Handler { return &Handler{Engine: e, Endpoints: EventEndpoints} }

const usualMaxBody = 16 << 20

func endpointOf(path string) Endpoints {
	switch {
	case strings.HasPrefix(path, "/scim/"):
		return SCIMEndpoints
	case strings.HasPrefix(path, "/api/"):
		return AdminEndpoints
	case strings.HasPrefix(path, "/events/"):
		return EventEndpoints
	default:
		return OperationsEndpoints
	}
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.Endpoints != 0 && h.Endpoints&endpointOf(r.URL.Path) == 0 {
		http.NotFound(w, r)
		return
	}
	request, status := h.request(w, r)
	if status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	response, err := h.Engine.Do(r.Context(), request)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	defer response.Close()
	for name, values := range response.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if response.Stream == nil {
		if bodyAllowed(response.Status) && w.Header().Get("Content-Length") == "" {
			w.Header().Set("Content-Length", strconv.Itoa(len(response.Body)))
		}
		w.WriteHeader(response.Status)
		if bodyAllowed(response.Status) && r.Method != http.MethodHead {
			_, _ = w.Write(response.Body) // a client that has gone needs no answer
		}
		return
	}
	w.WriteHeader(response.Status)
	if r.Method == http.MethodHead {
		return
	}
	h.stream(w, r, response.Stream)
}

func bodyAllowed(status int) bool { return status >= 200 && status != 204 && status != 304 }

func (h *Handler) request(w http.ResponseWriter, r *http.Request) (*Request, int) {
	most := h.MaxBody
	if most == 0 {
		most = usualMaxBody
	}
	var body []byte
	if r.Body != nil && r.Body != http.NoBody {
		if r.ContentLength > most {
			return nil, http.StatusRequestEntityTooLarge
		}
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, most)); err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				return nil, http.StatusRequestEntityTooLarge
			}
			return nil, http.StatusBadRequest
		}
	}
	// Not RequestURI: that is without what http.StripPrefix did.
	target := r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	header := r.Header
	if r.Host != "" {
		header = r.Header.Clone()
		header.Set("Host", r.Host)
	}
	peer := r.RemoteAddr
	if h.Peer != nil {
		peer = h.Peer(r)
	} else if host, _, err := net.SplitHostPort(peer); err == nil {
		peer = host
	}
	return &Request{Method: r.Method, Target: target, Header: header, Body: body, Peer: peer}, 0
}

// refuse answers where the engine gave no answer.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client has gone, or the server gave up on it
	}
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, ErrClosed), errors.Is(err, ErrCancelled):
		w.Header().Set("Retry-After", "1")
		status = http.StatusServiceUnavailable
	case errors.Is(err, ErrInvalidArgument):
		status = http.StatusBadRequest
	case errors.Is(err, ErrLimitExceeded):
		status = http.StatusRequestHeaderFieldsTooLarge
	}
	http.Error(w, http.StatusText(status), status)
}

// stream passes the pieces on, each at once.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, body *Stream) {
	flusher, _ := w.(http.Flusher)
	if flusher != nil {
		flusher.Flush() // whoever follows sees that it was accepted
	}
	for {
		piece, err := body.Next(r.Context())
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			_, err = w.Write(piece)
		}
		if err != nil {
			// Half a body must not look like a whole one.
			panic(http.ErrAbortHandler)
		}
		if flusher != nil {
			flusher.Flush()
		}
	}
}
