import { mustComeFirst } from '../own-programs.ts';

/** `dtkd up` is the daemon itself. */
export const configure = mustComeFirst;
