/* The extension module deprov._ask: a request from Python to its answer in one crossing, without an interpreted
   step in between. What is not answered at once, and all the rest, goes through cffi. */

#define Py_LIMITED_API 0x03090000
#include <Python.h>
#include <deprov.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include "room.h"

enum { most_headers = 256 };

#if Py_LIMITED_API + 0 < 0x030a0000
/* Of the stable ABI since 3.10; it is there before, and was the same. */
PyAPI_FUNC(const char*) PyUnicode_AsUTF8AndSize(PyObject* text, Py_ssize_t* size);
#endif

/* What every deprov.Response is. Where it is made here, its __init__ is not called. */
typedef struct {
  PyObject_HEAD PyObject* status;
  PyObject* head;
  PyObject* body;
  PyObject* handle;
  PyObject* headers;
  PyObject* turn;
  char streaming;
  char closed;
} answer_object;

static PyMemberDef answer_members[] = {
    {"status", T_OBJECT_EX, offsetof(answer_object, status), 0, NULL},
    {"_head", T_OBJECT_EX, offsetof(answer_object, head), 0, NULL},
    {"_body", T_OBJECT_EX, offsetof(answer_object, body), 0, NULL},
    {"_handle", T_OBJECT, offsetof(answer_object, handle), 0, NULL},
    {"_headers", T_OBJECT, offsetof(answer_object, headers), 0, NULL},
    {"_turn", T_OBJECT, offsetof(answer_object, turn), 0, NULL},
    {"streaming", T_BOOL, offsetof(answer_object, streaming), 0, NULL},
    {"_closed", T_BOOL, offsetof(answer_object, closed), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static int answer_traverse(PyObject* self, visitproc visit, void* arg) {
  answer_object* const a = (answer_object*)self;
  Py_VISIT((PyObject*)Py_TYPE(self));
  Py_VISIT(a->status);
  Py_VISIT(a->head);
  Py_VISIT(a->body);
  Py_VISIT(a->handle);
  Py_VISIT(a->headers);
  Py_VISIT(a->turn);
  return 0;
}

static int answer_clear(PyObject* self) {
  answer_object* const a = (answer_object*)self;
  Py_CLEAR(a->status);
  Py_CLEAR(a->head);
  Py_CLEAR(a->body);
  Py_CLEAR(a->handle);
  Py_CLEAR(a->headers);
  Py_CLEAR(a->turn);
  return 0;
}

static void answer_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  answer_clear(self);
  PyObject_GC_Del(self);
  Py_DECREF((PyObject*)type);
}

static PyType_Slot answer_slots[] = {
    {Py_tp_members, answer_members},
    {Py_tp_traverse, (void*)answer_traverse},
    {Py_tp_clear, (void*)answer_clear},
    {Py_tp_dealloc, (void*)answer_dealloc},
    {0, NULL},
};
static PyType_Spec answer_spec = {"deprov._ask.Answer", sizeof(answer_object), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, answer_slots};

static PyObject* answer_type;

/* --- what is asked --- */

/* A request whose texts are those of `kept`, which stay where they are without the interpreter's lock. */
typedef struct {
  deprov_request request;
  deprov_header headers[most_headers];
  PyObject* kept[2 * most_headers];
  size_t count; /* of headers */
  const char* refused;
  deprov_status refused_as;
} asked;

/* Where an exception is set, 0. `place` names what is no text; NULL for the value of the header `name`. */
static int point_at(asked* a, deprov_str* to, PyObject* text, const char* place, PyObject* name) {
  Py_ssize_t len = 0;
  if (!PyUnicode_Check(text)) {
    PyObject* const kind = PyObject_GetAttrString((PyObject*)Py_TYPE(text), "__name__");
    if (kind == NULL) return 0;
    if (place != NULL)
      PyErr_Format(PyExc_TypeError, "%s has to be str, and is %S", place, kind);
    else
      PyErr_Format(PyExc_TypeError, "header %R has to be str, and is %S", name, kind);
    Py_DECREF(kind);
    return 0;
  }
  to->ptr = PyUnicode_AsUTF8AndSize(text, &len);
  if (to->ptr == NULL) return 0;
  to->len = (size_t)len;
  if (strlen(to->ptr) != to->len) {
    a->refused = "a zero byte in a text";
    a->refused_as = DEPROV_ERR_INVALID_ARGUMENT;
  }
  return 1;
}

static int add_header(asked* a, PyObject* name, PyObject* value) {
  deprov_header* const to = &a->headers[a->count];
  if (a->count == most_headers) {
    a->refused = "more than 256 headers";
    a->refused_as = DEPROV_ERR_LIMIT_EXCEEDED;
    return 1;
  }
  if (!point_at(a, &to->name, name, "the name of a header", NULL) || !point_at(a, &to->value, value, NULL, name))
    return 0;
  Py_INCREF(name);
  Py_INCREF(value);
  a->kept[2 * a->count] = name;
  a->kept[2 * a->count + 1] = value;
  ++a->count;
  return 1;
}

static int add_pair(asked* a, PyObject* pair) {
  PyObject* two;
  int done = 0;
  if (PyUnicode_Check(pair) || PyBytes_Check(pair) || PySequence_Check(pair) == 0 || PySequence_Size(pair) != 2) {
    /* What it raised by itself is told, a signal above all. */
    if (PyErr_Occurred() != NULL && !PyErr_ExceptionMatches(PyExc_TypeError)) return 0;
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "a header has to be a pair of name and value, and is %R", pair);
    return 0;
  }
  two = PySequence_Tuple(pair);
  if (two == NULL) return 0;
  if (PyTuple_Size(two) == 2) /* it may have changed meanwhile */
    done = add_header(a, PyTuple_GetItem(two, 0), PyTuple_GetItem(two, 1));
  else
    PyErr_SetString(PyExc_RuntimeError, "a header changed while it was read");
  Py_DECREF(two);
  return done;
}

/* A mapping, or pairs. */
static int add_headers(asked* a, PyObject* headers) {
  PyObject* list;
  Py_ssize_t i, count;
  if (PyDict_Check(headers)) {
    PyObject *name, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(headers, &at, &name, &value))
      if (!add_header(a, name, value)) return 0;
    return 1;
  }
  list = PyObject_HasAttrString(headers, "items") ? PyMapping_Items(headers) : PySequence_List(headers);
  if (list == NULL) return 0;
  count = PyList_Size(list);
  for (i = 0; i < count; ++i)
    if (!add_pair(a, PyList_GetItem(list, i))) break;
  Py_DECREF(list);
  return i == count;
}

static int fill(asked* a, PyObject* const* texts, PyObject* headers, PyObject* body, int32_t as) {
  deprov_request* const r = &a->request;
  memset(r, 0, sizeof *r);
  r->struct_size = sizeof *r;
  r->as = as;
  if (!point_at(a, &r->method, texts[0], "method", NULL) || !point_at(a, &r->target, texts[1], "target", NULL) ||
      !point_at(a, &r->peer, texts[2], "peer", NULL) || !point_at(a, &r->workspace, texts[3], "workspace", NULL) ||
      !point_at(a, &r->subject, texts[4], "subject", NULL) || !add_headers(a, headers))
    return 0;
  r->headers = a->headers;
  r->header_count = a->count;
  if (body != Py_None) {
    if (!PyBytes_Check(body)) {
      PyErr_SetString(PyExc_TypeError, "body has to be bytes here");
      return 0;
    }
    r->body.ptr = PyBytes_AsString(body);
    r->body.len = (size_t)PyBytes_Size(body);
  }
  return 1;
}

static void let_go(asked* a) {
  size_t i;
  for (i = 0; i < 2 * a->count; ++i) Py_DECREF(a->kept[i]);
}

/* --- asking, without the interpreter's lock --- */

/* Whether it is a whole answer; then its headers are in the text of the room, which says how long they are. */
static int is_whole(deprovpy_room* room, const deprov_response* response) {
  const char* end;
  if (response == NULL || deprov_response_is_streaming(response) != 0) return 0;
  end = deprovpy_put_headers(room->text, room->text + room->text_size, response);
  if (end == NULL) return 0;
  room->events[0].head = (size_t)(end - room->text);
  return 1;
}

/* Begins a request. A whole answer that is there at once; otherwise `status` of the room says what became of the
   request, and where that is DEPROV_OK, its `taken` events were taken. */
static deprov_response* begin(deprov_engine* engine, deprovpy_room* room, uint64_t user,
                              const deprov_request* request) {
  deprov_event event;
  room->status = deprov_engine_ask(engine, request, (void*)(uintptr_t)user, &room->token, &event, 1, 0,
                                   &room->taken, &room->error);
  if (room->taken == 0) return NULL;
  /* It may be somebody else's. */
  if (event.user == (void*)(uintptr_t)user && is_whole(room, event.response)) {
    room->taken = 0;
    return event.response;
  }
  deprovpy_take(room, &event);
  return NULL;
}

/* As deprov_engine_call(). An answer that is not whole is the first event. */
static deprov_response* call(deprov_engine* engine, deprovpy_room* room, const deprov_request* request) {
  deprov_event event;
  memset(&event, 0, sizeof event);
  room->status = deprov_engine_call(engine, request, &event.response, &room->error);
  if (room->status != DEPROV_OK || is_whole(room, event.response)) return event.response;
  room->taken = 1;
  deprovpy_take(room, &event);
  return NULL;
}

/* --- with it --- */

static PyObject* answer_of(PyTypeObject* type, const deprovpy_room* room, const deprov_response* response) {
  const deprov_str body = deprov_response_get_body(response);
  answer_object* const a = (answer_object*)PyType_GenericAlloc(type, 0);
  if (a == NULL) return NULL;
  a->status = PyLong_FromLong(deprov_response_get_status(response));
  a->head = PyBytes_FromStringAndSize(room->text, (Py_ssize_t)room->events[0].head);
  a->body = PyBytes_FromStringAndSize(body.ptr, (Py_ssize_t)body.len);
  if (a->status != NULL && a->head != NULL && a->body != NULL) return (PyObject*)a;
  Py_DECREF((PyObject*)a);
  return NULL;
}

PyDoc_STRVAR(ask_doc,
             "ask(type, engine, room, user, as, method, target, peer, workspace, subject, headers, body)\n\n"
             "A `type`, which is an Answer; or None, and then the room says what became of the request.\n"
             "`user` names it; where that is 0, the answer is waited for. `engine` and `room` are addresses.");

static PyObject* ask(PyObject* module, PyObject* args) {
  enum { want = 12 };
  PyObject* arg[want];
  PyObject* made = NULL;
  deprov_response* response = NULL;
  deprov_engine* engine;
  deprovpy_room* room;
  asked a;
  uint64_t user;
  const int given = PyTuple_Size(args) == want;
  long as;
  int i;
  (void)module;
  for (i = 0; given && i < want; ++i) arg[i] = PyTuple_GetItem(args, i);
  if (!given || !PyType_Check(arg[0]) || !PyType_IsSubtype((PyTypeObject*)arg[0], (PyTypeObject*)answer_type)) {
    PyErr_SetString(PyExc_TypeError, "ask() is for this package alone");
    return NULL;
  }
  engine = PyLong_AsVoidPtr(arg[1]);
  room = PyLong_AsVoidPtr(arg[2]);
  user = PyLong_AsUnsignedLongLong(arg[3]);
  as = PyLong_AsLong(arg[4]);
  if (PyErr_Occurred() != NULL) return NULL;
  a.count = 0;
  a.refused = NULL;
  if (!fill(&a, arg + 5, arg[10], arg[11], (int32_t)as)) {
    let_go(&a);
    return NULL;
  }
  room->token = 0;
  room->taken = 0;
  if (a.refused != NULL) {
    room->status = deprovpy_refuse(&room->error, a.refused_as, a.refused, "request.headers");
  } else {
    Py_BEGIN_ALLOW_THREADS response =
        user == 0 ? call(engine, room, &a.request) : begin(engine, room, user, &a.request);
    Py_END_ALLOW_THREADS
  }
  let_go(&a);
  if (response == NULL) {
    Py_INCREF(Py_None);
    return Py_None;
  }
  made = answer_of((PyTypeObject*)arg[0], room, response);
  deprov_response_free(response);
  return made;
}

PyDoc_STRVAR(interpreter_doc, "interpreter()\n\nThe number of the interpreter that asks; the main one is 0.");

static PyObject* interpreter(PyObject* module, PyObject* none) {
  (void)module;
  (void)none;
  return PyLong_FromLongLong(PyInterpreterState_GetID(PyInterpreterState_Get()));
}

static PyMethodDef methods[] = {
    {"ask", ask, METH_VARARGS, ask_doc},
    {"interpreter", interpreter, METH_NOARGS, interpreter_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "deprov._ask", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__ask(void) {
  PyObject* const made = PyModule_Create(&module);
  if (made == NULL) return NULL;
  if (answer_type == NULL) answer_type = PyType_FromSpec(&answer_spec);
  if (answer_type == NULL) goto failed;
  Py_INCREF(answer_type); /* PyModule_AddObject takes one */
  if (PyModule_AddObject(made, "Answer", answer_type) == 0) return made;
  Py_DECREF(answer_type);
failed:
  Py_DECREF(made);
  return NULL;
}
