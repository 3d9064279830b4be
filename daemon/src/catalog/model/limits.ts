/** What bounds the model's own work. */

/** Properties of one type with all that it inherits. */
export const MAX_PROPERTIES = 1_024;
/** Dependents that a refusal names. */
export const LISTED = 20;
/** Dependents that a refusal counts; beyond it says "more than". */
export const COUNTED = 10_000;
/** Causes of one refusal: enough to correct a document in one go. */
export const MAX_CAUSES = 100;
/** Ancestors that the search for cycles visits for one transaction. */
export const MAX_ANCESTORS = 200_000;
/** Resources that are judged again when their type changes. Each takes some 80 µs. */
export const MAX_REJUDGED = 200_000;
/** Objects that one deletion takes with it. A transaction holds them in memory. */
export const MAX_CASCADE = 100_000;
/** Objects of one import: some 700 MB while it is written, and writers that wait for ten seconds. */
export const MAX_IMPORT_OBJECTS = 50_000;
/** Characters of one document of an import, as of an object that is written by itself. */
export const MAX_DOCUMENT = 1024 * 1024;
/** Bytes of the body of one import. */
export const MAX_IMPORT_BYTES = 32 * 1024 * 1024;
/** Children whose rows the effective view of a resource shows. */
export const SHOWN_CHILDREN = 1_000;
/** Types kept resolved. */
export const CACHED_TYPES = 1_024;
/** Objects after which long work lets others have the event loop. */
export const BREATH = 256;
