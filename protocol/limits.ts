/** Limits that all nodes share. What exceeds one is invalid everywhere, so raising a limit changes the wire protocol. */

// membership

/** Live members of one domain. Below 32 members, every member connects to every other. A fold over this many takes a few milliseconds. */
export const MAX_MEMBERS = 1_024;
/** Certificates that one node keeps. Those of members that were removed or left stay, as links in the chains of others. */
export const MAX_CERTIFICATES = 4 * MAX_MEMBERS;
/** Facts of one root that a node keeps. The root signs them all, so this bounds a mistake, not an attack. A rotation starts over. */
export const MAX_ROOT_FACTS = 16_384;
/** Rotations in a domain's life; each needs the recovery key. */
export const MAX_ROTATIONS = 64;
/** Certificates between a member and somebody that the root lists or has bound. Bounds what must be shown to a newcomer. */
export const MAX_CHAIN_DEPTH = 64;
/** Removed keys that a rotation still lists by name. */
export const MAX_ROTATION_REMOVED = 768;
/** Keys in the `keeps` of a removal or revocation: as many as one member can have admitted. */
export const MAX_KEEPS = MAX_MEMBERS;

/** Bytes of a grant, binding, freed name, clearance, certificate or leave. The largest, about 3 KiB, frees a name of many keys. */
export const MAX_ITEM_BYTES = 4 * 1024;
/** Bytes of a removal or revocation: `MAX_KEEPS` keys of about 34 bytes. */
export const MAX_KEEPS_ITEM_BYTES = 64 * 1024;
/** Bytes of a fork proof: two log entries of 64 KiB and their framing. */
export const MAX_FORK_BYTES = 129 * 1024;
/** Bytes of a rotation: `MAX_MEMBERS` and `MAX_ROTATION_REMOVED` entries of a key, a name and two numbers. */
export const MAX_ROTATION_BYTES = 256 * 1024;

/** Peers that one invite may admit. */
export const MAX_INVITE_USES = 1_000;
/** Invites of a root that may be open at a time: not expired, used up or revoked. */
export const MAX_LIVE_INVITES = 256;
/** The longest lifetime of an invite: a year. */
export const MAX_INVITE_LIFETIME_MS = 366 * 24 * 3_600_000;

// tokens

/** Address hints in a token; more would not be tried. */
export const MAX_TOKEN_HINTS = 4;
/** Characters of a hint: a DNS name of 253 characters with a port. */
export const MAX_TOKEN_HINT_LENGTH = 260;
/** Characters of a token; about 450 are usual. */
export const MAX_TOKEN_LENGTH = 4_096;

// joining

/**
 * Meaningless bytes in the first frames of join and hello. They make a frame larger than one packet of 1,500 bytes, so that a path that
 * loses large packets is detected before it is used.
 */
export const PADDING_BYTES = 2_000;

/** Bytes of a frame of the join and hello protocols: a rotation fits, with some room to spare. */
export const MAX_JOIN_FRAME_BYTES = 320 * 1024;
/**
 * Bytes of all items that are sent to a joiner, or to a peer at hello: `MAX_CERTIFICATES` certificates with their grants, and rotations.
 */
export const MAX_ITEMS_BYTES = 16 * 1024 * 1024;
/** Items in one frame. */
export const MAX_ITEMS_PER_FRAME = 2_048;
/** Characters of a refusal's message, and of its next step. */
export const MAX_SENTENCE_LENGTH = 500;

// types

/** Supertypes of one type: more is a mistake, and each resolution walks them all. */
export const MAX_SUPERTYPES = 32;
