/** Share of memorySize that V8's heap may take. */
export const HEAP_SHARE = 0.7

/**
 * WebAssembly's relaxed instructions round once or twice, and saturate or not, by what the processor has: here as if it had
 * neither fused multiplication nor VNNI. JavaScript has no use for these.
 */
const ENGINE_FLAGS_X64 = ['--no-enable-fma3', '--no-enable-avx-vnni', '--no-enable-avx-vnni-int8']

/** By Node's name of an architecture. */
const engineFlags = (architecture: string): string[] => [
  '--single-threaded',
  '--no-flush-bytecode',
  '--no-incremental-marking',
  '--expose-gc',
  ...(architecture === 'x64' ? ENGINE_FLAGS_X64 : []),
]

/** The flags of every zygote; they are part of the runtime id. */
export const nodeFlags = (architecture: string): string[] => [
  ...engineFlags(architecture),
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

/**
 * Environment that decides what Node computes; part of the runtime id too. V8 leaves powers (`**`, Math.pow) to the C
 * library, whose last digit depends on whether the processor has fused multiplication: on x64 it must not use it.
 */
export const nodeEnvironment = (architecture: string): string[] =>
  architecture === 'x64' ? ['GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4,-FMA_Usable,-FMA4_Usable'] : []

/**
 * Flags that change how V8 compiles: a code cache is good only under the same ones. Bytecode is kept, because children
 * would compile it anew; the harness collects its garbage before there is a bundle, then takes `gc` away. Marking ahead of
 * need would be paid in every child anew: an execution ends long before it is over.
 */
export const ENGINE_FLAGS = engineFlags(process.arch)
export const NODE_FLAGS = nodeFlags(process.arch)

/** @param memorySize MB */
export const heapFlag = (memorySize: number): string => `--max-old-space-size=${Math.floor(memorySize * HEAP_SHARE)}`
