"""Names of UNIX sockets: paths, abstract names, and those of the kernel's choice."""

from __future__ import annotations

from asyncipc.kernel.files.node import Directory, FifoNode, SocketNode
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.unix.datagram import DatagramEndpoint
from asyncipc.kernel.unix.seqpacket import SeqpacketEndpoint
from asyncipc.kernel.unix.stream import StreamEndpoint
from tests.kernel.helpers import failure, hold


def new_process(kernel: Kernel, uid: int = 0) -> Process:
    process = kernel.fork(kernel.init, "program")
    process.cwd = kernel.names.root
    process.uid = process.gid = uid
    return process


def listener(kernel: Kernel, process: Process, name: bytes) -> StreamEndpoint:
    made = StreamEndpoint(kernel)
    hold(made)
    made.bind(process, name)
    made.listen(process, 5)
    return made


def node_of(kernel: Kernel, process: Process, path: bytes) -> SocketNode:
    node = kernel.names.lookup(process, path)
    assert isinstance(node, SocketNode)
    return node


def test_a_path_becomes_a_file_with_the_callers_owner_and_umask() -> None:
    kernel = Kernel()
    process = new_process(kernel, uid=1000)
    process.umask = 0o027
    bound = listener(kernel, process, b"/tmp/s")
    node = node_of(kernel, process, b"/tmp/s")
    assert (node.mode, node.uid, node.gid) == (0o750, 1000, 1000)
    assert node.socket is bound
    assert bound.getsockname() == b"/tmp/s"


def test_a_closed_sockets_file_stays_and_leads_nowhere() -> None:
    kernel = Kernel()
    process = new_process(kernel)
    bound = listener(kernel, process, b"/tmp/s")
    bound.drop()
    assert node_of(kernel, process, b"/tmp/s").socket is None
    client = StreamEndpoint(kernel)
    assert failure(client.connect, process, b"/tmp/s") == "ECONNREFUSED"
    assert failure(client.bind, process, b"/tmp/s") == "EADDRINUSE"
    kernel.names.unlink(process, b"/tmp/s")
    client.bind(process, b"/tmp/s")


def test_a_renamed_file_still_leads_to_its_socket_which_keeps_its_name() -> None:
    kernel = Kernel()
    process = new_process(kernel)
    bound = listener(kernel, process, b"/tmp/old")
    kernel.names.rename(process, b"/tmp/old", b"/tmp/new")
    client = StreamEndpoint(kernel)
    assert failure(client.connect, process, b"/tmp/old") == "ENOENT"
    client.connect(process, b"/tmp/new")
    assert bound.getsockname() == client.getpeername() == b"/tmp/old"


def test_errors_of_bind() -> None:
    kernel = Kernel()
    process = new_process(kernel)
    kernel.names.add(process, b"/tmp/fifo", FifoNode(0o666, 0, 0))
    socket = StreamEndpoint(kernel)
    assert failure(socket.bind, process, b"/none/s") == "ENOENT"
    assert failure(socket.bind, process, b"/tmp/fifo/s") == "ENOTDIR"
    assert failure(socket.bind, process, b"/tmp") == "EADDRINUSE"
    assert failure(socket.bind, process, b"/tmp/fifo") == "EADDRINUSE"
    assert failure(socket.bind, process, b"x" * 109) == "EINVAL"
    assert failure(socket.bind, process, InetAddress("127.0.0.1", 80)) == "EINVAL"
    kernel.names.add(process, b"/closed", Directory(0o755))
    stranger = new_process(kernel, uid=1000)
    assert failure(socket.bind, stranger, b"/closed/s") == "EACCES"
    socket.bind(process, b"x" * 108)
    assert socket.getsockname() == b"x" * 108


def test_a_path_ends_at_its_first_nul() -> None:
    kernel = Kernel()
    process = new_process(kernel)
    bound = listener(kernel, process, b"/tmp/s\0rest")
    assert bound.getsockname() == b"/tmp/s"
    StreamEndpoint(kernel).connect(process, b"/tmp/s\0other")


def test_a_bound_socket_tries_the_path_before_it_is_told_that_it_has_a_name() -> None:
    kernel = Kernel()
    process = new_process(kernel)
    bound = listener(kernel, process, b"/tmp/s")
    assert failure(bound.bind, process, b"/tmp/s") == "EADDRINUSE"
    assert failure(bound.bind, process, b"/none/s") == "ENOENT"
    assert failure(bound.bind, process, b"/tmp/fresh") == "EINVAL"
    assert failure(bound.bind, process, b"\0fresh") == "EINVAL"
    assert failure(kernel.names.lookup, process, b"/tmp/fresh") == "ENOENT"
    bound.bind(process, b"")  # which asks for any name, and it has one
    assert bound.getsockname() == b"/tmp/s"


def test_an_abstract_name_is_exact_and_free_with_the_close() -> None:
    kernel = Kernel()
    process = new_process(kernel)
    bound = listener(kernel, process, b"\0name")
    client = StreamEndpoint(kernel)
    for name in (b"\0nam", b"\0name\0", b"\0name2"):
        assert failure(client.connect, process, name) == "ECONNREFUSED"
    assert failure(client.bind, process, b"\0name") == "EADDRINUSE"
    bound.drop()
    client.bind(process, b"\0name")


def test_each_type_has_abstract_names_of_its_own_and_a_path_has_one_type() -> None:
    kernel = Kernel()
    process = new_process(kernel)
    for kind in (StreamEndpoint, DatagramEndpoint, SeqpacketEndpoint):
        kind(kernel).bind(process, b"\0name")
    listener(kernel, process, b"/tmp/stream")
    datagram = DatagramEndpoint(kernel)
    assert failure(datagram.connect, process, b"/tmp/stream") == "EPROTOTYPE"
    assert failure(datagram.sendto, b"x", 0, b"/tmp/stream", process) == "EPROTOTYPE"
    assert failure(SeqpacketEndpoint(kernel).connect, process, b"/tmp/stream") == "EPROTOTYPE"


def test_the_kernel_chooses_a_name_that_is_free() -> None:
    kernel = Kernel()
    process = new_process(kernel)
    taken, chosen = StreamEndpoint(kernel), StreamEndpoint(kernel)
    taken.bind(process, b"\x0000001")
    chosen.bind(process, b"")
    assert chosen.getsockname() == b"\x0000002"


def test_who_may_not_write_to_the_file_may_not_connect() -> None:
    kernel = Kernel()
    owner, stranger = new_process(kernel), new_process(kernel, uid=1000)
    listener(kernel, owner, b"/tmp/s")
    client = StreamEndpoint(kernel)
    assert failure(client.connect, stranger, b"/tmp/s") == "EACCES"
    kernel.names.chmod(owner, b"/tmp/s", 0o666)
    client.connect(stranger, b"/tmp/s")


def test_what_is_no_socket_refuses_connections() -> None:
    kernel = Kernel()
    process = new_process(kernel)
    kernel.names.add(process, b"/tmp/fifo", FifoNode(0o666, 0, 0))
    client = StreamEndpoint(kernel)
    assert failure(client.connect, process, b"/tmp/fifo") == "ECONNREFUSED"
    assert failure(client.connect, process, b"/tmp") == "ECONNREFUSED"
    assert failure(client.connect, process, b"") == "EINVAL"
