import { mustComeFirst } from '../own-programs.ts';

/** `dtkd up` is the daemon itself, a program of its own. */
export const configure = mustComeFirst;
