/**
 * The resource manager of libp2p exists in Go only; in JavaScript these are the bounds. Each is above what 50 daemons on one machine
 * need (all from one address) and far below what would hurt.
 */

/** Connections of all kinds that one host keeps. */
export const MAX_CONNECTIONS = 512;
/** Inbound connections a second from one IP address; members behind one NAT share it. libp2p's own default is 5. */
export const INBOUND_PER_ADDRESS_PER_SECOND = 100;
/** Inbound connections in the middle of their handshake; beyond, the oldest of the network that has most is cut. */
export const MAX_PENDING_INBOUND = 128;
/** libp2p's own count of the same, which turns away the newest: above ours, as it hears of a cut a little later. Its default is 10. */
export const MAX_UPGRADING_INBOUND = 2 * MAX_PENDING_INBOUND;
/** A lost SYN segment is sent again after one and after three seconds. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** A handshake takes a few round trips, and milliseconds of both processors: fifty daemons that start at once need patience. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Connections that have not been admitted; beyond, the oldest of the network that has most is cut. */
export const MAX_STRANGERS = 64;
/** Connections of one member: one, one in each direction that crossed, and relayed ones while a direct one comes about. */
export const MAX_LINKS_PER_MEMBER = 4;
/** How long a connection may stay unadmitted: covers hello, and a join with its fsync at the admitting node. */
export const STRANGER_TIMEOUT_MS = 10_000;
/** Streams that one stranger's connection may have open. */
export const MAX_STRANGER_STREAMS = 4;
/** Negotiating a protocol on a new stream. */
export const NEGOTIATION_TIMEOUT_MS = 5_000;
/** Streams in each direction on one connection, over all protocols: each tunnelled TCP connection is one. */
export const MAX_STREAMS_PER_CONNECTION = 4_096;
/** yamux refuses to read more than 4 MiB ahead for a paused stream, so the window must stay below; 1 MiB fills 100 MB/s at 10 ms. */
export const MAX_STREAM_WINDOW_BYTES = 1024 * 1024;

/** The kernel's own probe of idle connections, beside our pings. */
export const TCP_KEEPALIVE_DELAY_MS = 10_000;

/** Circuits that one member may have through us, as either end. */
export const MAX_CIRCUITS_PER_MEMBER = 64;
/** Asking a relay for a circuit, until it stands. */
export const CIRCUIT_TIMEOUT_MS = 5_000;

/** A log entry or membership item of up to 64 KiB, and the byte before it; signature and topic come on top. */
export const MAX_GOSSIP_BYTES = 65 * 1024;
/** Messages waiting for one slow neighbour; beyond, gossip to it is dropped and it catches up by sync. */
export const MAX_GOSSIP_BACKLOG_BYTES = 4 * 1024 * 1024;
