/** Share of memorySize that V8's heap may take. */
export const HEAP_SHARE = 0.7

/**
 * Flags that change how V8 compiles: a code cache is good only under the same ones. Bytecode is kept, because children
 * would compile it anew; the harness collects its garbage before there is a bundle, then takes `gc` away.
 */
export const ENGINE_FLAGS = ['--single-threaded', '--no-flush-bytecode', '--expose-gc']

/** The flags of every zygote; they are part of the runtime id. */
export const NODE_FLAGS = [
  ...ENGINE_FLAGS,
  '--freeze-flags-after-init',
  '--disable-sigusr1',
  '--disable-warning=SecurityWarning',
  '--permission',
  '--allow-fs-read=*',
  '--allow-fs-write=*',
  '--allow-worker',
  '--allow-addons',
  '--allow-wasi',
]

/** @param memorySize MB */
export const heapFlag = (memorySize: number): string => `--max-old-space-size=${Math.floor(memorySize * HEAP_SHARE)}`
