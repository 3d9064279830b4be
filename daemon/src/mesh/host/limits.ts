/**
 * Bounds of what one host uses, since libp2p has a resource manager only in Go. Each is above what 50 daemons on one machine need (all
 * from one address) and far below what would hurt.
 */

/** Connections of all kinds that one host keeps. */
export const MAX_CONNECTIONS = 512;
/** Inbound connections per second from one IP address; members behind one NAT share it. libp2p's default is 5. */
export const INBOUND_PER_ADDRESS_PER_SECOND = 100;
/** Inbound connections during their handshake. Beyond this, the oldest of the network that has most is cut. */
export const MAX_PENDING_INBOUND = 128;
/**
 * libp2p's own count of the same, beyond which it refuses the newest. Above ours, since it learns of a cut a little later. Its default is
 * 10.
 */
export const MAX_UPGRADING_INBOUND = 2 * MAX_PENDING_INBOUND;
/** Time for a TCP connection: a lost SYN segment is sent again after one and after three seconds. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** A handshake takes a few round trips and milliseconds of CPU on both sides; fifty daemons that start at once need more time. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Connections that are not admitted yet. Beyond this, the oldest of the network that has most is cut. */
export const MAX_STRANGERS = 64;
/** Connections of one member: one, one more if both dialled at once, and relayed ones while a direct one is being made. */
export const MAX_LINKS_PER_MEMBER = 4;
/** How long a connection may stay unadmitted: covers hello, and a join with its fsync at the admitting node. */
export const STRANGER_TIMEOUT_MS = 10_000;
/** Streams that one stranger's connection may have open. */
export const MAX_STRANGER_STREAMS = 4;
/** For negotiating a protocol on a new stream. */
export const NEGOTIATION_TIMEOUT_MS = 5_000;
/** Streams in each direction on one connection, over all protocols: each tunnelled TCP connection is one. */
export const MAX_STREAMS_PER_CONNECTION = 4_096;
/** yamux refuses to read more than 4 MiB ahead for a paused stream, so the window must be smaller; 1 MiB fills 100 MB/s at 10 ms. */
export const MAX_STREAM_WINDOW_BYTES = 1024 * 1024;

/** Delay of the kernel's own probes of idle connections, in addition to our pings. */
export const TCP_KEEPALIVE_DELAY_MS = 10_000;

/** Circuits that one member may have through us, at either end. */
export const MAX_CIRCUITS_PER_MEMBER = 64;
/** From asking a relay for a circuit until it is established. */
export const CIRCUIT_TIMEOUT_MS = 5_000;

/** A log entry or membership item of up to 64 KiB, and the byte before it; signature and topic are extra. */
export const MAX_GOSSIP_BYTES = 65 * 1024;
/** Bytes waiting for one slow neighbour. Beyond this, gossip to it is dropped and it catches up by sync. */
export const MAX_GOSSIP_BACKLOG_BYTES = 4 * 1024 * 1024;
