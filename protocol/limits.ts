/**
 * Limits that all nodes share: what is beyond one of them is invalid everywhere, so raising one is a change of the wire.
 */

// membership

/** Live members of one domain. Every member connects to every other below 32; a fold over this many takes a few milliseconds. */
export const MAX_MEMBERS = 1_024;
/** Certificates that one node keeps: those of members that were removed or left stay as links in the chains of others. */
export const MAX_CERTIFICATES = 4 * MAX_MEMBERS;
/** Facts of one root that a node keeps. The root signs them all, so this bounds a mistake, not an attack; a rotation begins anew. */
export const MAX_ROOT_FACTS = 16_384;
/** Rotations in a domain's life: each needs the recovery key. */
export const MAX_ROTATIONS = 64;
/** Certificates between a member and somebody whom the root lists or has bound. Bounds what a newcomer must be shown. */
export const MAX_CHAIN_DEPTH = 64;
/** Removed keys that a rotation still lists by name. */
export const MAX_ROTATION_REMOVED = 768;
/** Keys in the `keeps` of a removal or revocation: as many as one member may have admitted. */
export const MAX_KEEPS = MAX_MEMBERS;

/** A grant, binding, freed name, clearance, certificate or leave. The largest is about 3 KiB: a name freed of many keys. */
export const MAX_ITEM_BYTES = 4 * 1024;
/** A removal or revocation: `MAX_KEEPS` keys of 34 bytes and some. */
export const MAX_KEEPS_ITEM_BYTES = 64 * 1024;
/** A fork proof: two log entries of 64 KiB, and what surrounds them. */
export const MAX_FORK_BYTES = 129 * 1024;
/** A rotation: `MAX_MEMBERS` and `MAX_ROTATION_REMOVED` entries of a key, a name and two numbers. */
export const MAX_ROTATION_BYTES = 256 * 1024;

/** Peers that one invite may admit. */
export const MAX_INVITE_USES = 1_000;
/** Invites that a root may have open at a time: neither expired, used up nor revoked. */
export const MAX_LIVE_INVITES = 256;
/** The longest an invite may be good for: a year. */
export const MAX_INVITE_LIFETIME_MS = 366 * 24 * 3_600_000;

// tokens

/** Address hints in a token; more would not be tried. */
export const MAX_TOKEN_HINTS = 4;
/** One hint: a DNS name of 253 characters with a port. */
export const MAX_TOKEN_HINT_LENGTH = 260;
/** A token as text. Usually about 450 characters. */
export const MAX_TOKEN_LENGTH = 4_096;

// joining

/**
 * Bytes that mean nothing, in the first frames of join and hello: with them a frame fills more than one packet of 1,500 bytes, so that a way on which
 * large packets are lost is found out before anything is built on it.
 */
export const PADDING_BYTES = 2_000;

/** One frame of the join and hello protocols: a rotation fits, with something beside it. */
export const MAX_JOIN_FRAME_BYTES = 320 * 1024;
/** All items that a joiner or a peer at hello is shown: `MAX_CERTIFICATES` certificates with their grants, and rotations. */
export const MAX_ITEMS_BYTES = 16 * 1024 * 1024;
/** Items in one frame. */
export const MAX_ITEMS_PER_FRAME = 2_048;
/** A refusal's sentence or next step. */
export const MAX_SENTENCE_LENGTH = 500;

// types

/** Supertypes above one type: more is a mistake, and each resolution walks them. */
export const MAX_SUPERTYPES = 32;
