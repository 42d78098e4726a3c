"""Carries the frames of one host's network card to a bridge and back, some of them late.

Usage: slow-card.py CARD TAP [MAC=MILLISECONDS ...]

CARD is the bridge's end of the host's cable, TAP the name of the port that is made instead of it.
A frame to or from one of the addresses is kept for its time, in each direction; all others pass at
once. Stands in for tc netem, which not every kernel has. Says "ready" when frames may come.
"""

import errno
import fcntl
import heapq
import os
import select
import socket
import struct
import sys
import time

# From linux/if_tun.h, linux/if_packet.h and linux/if_ether.h.
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM_TSO4_TSO6 = 0x01 | 0x02 | 0x04
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 0x0003

# A header of struct virtio_net_hdr stands before each frame on both sides and passes unread:
# it carries the checksums and segments that the kernel has left for a card to do.
HEADER_BYTES = 10
FRAME_BYTES_MAX = HEADER_BYTES + 14 + 65_536
# Dropped at the end of the queue, as by a router.
QUEUED_FRAMES_MAX = 10_000


def open_card(name):
    card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    card.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    card.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    card.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    card.bind((name, 0))
    card.setblocking(False)
    return card.detach()


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    fcntl.ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM_TSO4_TSO6)
    return tap


def send(to, frame):
    try:
        os.write(to, frame)
    except OSError as error:
        # A card that is full or not up yet loses what it is given.
        if error.errno not in (errno.EAGAIN, errno.ENOBUFS, errno.EIO, errno.EINVAL):
            raise


def main():
    card_name, tap_name, *terms = sys.argv[1:]
    delays = {}
    for term in terms:
        mac, milliseconds = term.split("=")
        delays[bytes.fromhex(mac.replace(":", ""))] = float(milliseconds) / 1000
    card, tap = open_card(card_name), open_tap(tap_name)
    other = {card: tap, tap: card}
    # The address of the one at the far end: whom the card's frames are for, whom the tap's are of.
    far = {card: slice(HEADER_BYTES, HEADER_BYTES + 6), tap: slice(HEADER_BYTES + 6, HEADER_BYTES + 12)}
    late, order = [], 0
    poll = select.poll()
    poll.register(card, select.POLLIN)
    poll.register(tap, select.POLLIN)
    print("ready", flush=True)
    while True:
        wait = None if not late else max(0, (late[0][0] - time.monotonic()) * 1000)
        for source, _ in poll.poll(wait):
            frame = os.read(source, FRAME_BYTES_MAX)
            delay = delays.get(frame[far[source]])
            if delay is None:
                send(other[source], frame)
            elif len(late) < QUEUED_FRAMES_MAX:
                order += 1
                heapq.heappush(late, (time.monotonic() + delay, order, other[source], frame))
        now = time.monotonic()
        while late and late[0][0] <= now:
            _, _, to, frame = heapq.heappop(late)
            send(to, frame)


try:
    main()
except OSError as error:
    # The host has been switched off, and its card is gone with it.
    if error.errno not in (errno.ENETDOWN, errno.ENODEV, errno.ENXIO, errno.EBADFD):
        raise
