'use strict'
// The two seccomp filters that nsjail's own policy (policy.kafel) cannot carry: nsjail still has to exec Node under that
// policy, and the rules for an execution must not bind the zygote, which forks and kills.

// System calls by name. An architecture that lacks one (arm64 has no fork) has no number for it.
const NUMBERS = {
  x64: { mmap: 9, clone: 56, fork: 57, vfork: 58, execve: 59, kill: 62, seccomp: 317, execveat: 322 },
  arm64: { mmap: 222, clone: 220, execve: 221, kill: 129, seccomp: 277, execveat: 281 },
}
const AUDIT_ARCHITECTURE = { x64: 0xc000003e, arm64: 0xc00000b7 }
const SYSCALL = NUMBERS[process.arch]

const PROT_EXEC = 0x4
const MAP_ANONYMOUS = 0x20
const CLONE_THREAD = 0x10000
const EVERY_PROCESS = 0xffffffff // kill(-1), as the 32 bits that the filter compares
const EPERM = 1,
  ENOSYS = 38

const deny = (name, ...conditions) => ({ syscall: SYSCALL[name], conditions })
const argumentHas = (index, bit) => ({ index, mask: bit, value: bit, equal: true })
const argumentLacks = (index, bit) => ({ index, mask: bit, value: 0, equal: true })
const argumentIsNot = (index, value) => ({ index, mask: 0xffffffff, value, equal: false })

/** Binds the zygote, its thread pool and everything forked from it. */
const zygoteRules = [
  deny('execve'), // a new program image starts with flags of its own choice
  deny('execveat'),
  deny('mmap', argumentHas(2, PROT_EXEC), argumentLacks(3, MAP_ANONYMOUS)), // no dlopen: JIT pages are anonymous
  deny('kill', argumentIsNot(0, EVERY_PROCESS)), // the zygote itself cleans up with kill(-1)
]

/** Binds an execution, on top of the rules above: threads, but no processes and no signals. */
const executionRules = [
  deny('fork'),
  deny('vfork'),
  deny('clone', argumentLacks(0, CLONE_THREAD)),
  deny('kill'),
  deny('seccomp'),
]

const LOAD = 0x20,
  AND = 0x54,
  JUMP_IF_EQUAL = 0x15,
  JUMP_IF_AT_LEAST = 0x35,
  RETURN = 0x06
const ALLOW = 0x7fff0000,
  KILL_PROCESS = 0x80000000,
  FAIL_WITH = 0x00050000
const X32_BIT = 0x40000000 // the x32 calls share the architecture but have other numbers
// The first call that Linux 5.0 does not know, on both architectures. Node runs on that and needs none of the later ones;
// what a kernel of tomorrow adds is missing until somebody has looked at it.
const FIRST_LATER_CALL = 424

// struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]. The low halves of the arguments suffice
// here: every argument that is compared is an int or a set of low bits.
const NUMBER = 0,
  ARCHITECTURE = 4,
  argumentOffset = (index) => 16 + 8 * index

function compileRule({ syscall, conditions }) {
  const code = []
  const skipRule = Symbol('skip') // a jump target that is known only when the rule is complete
  code.push([LOAD, 0, 0, NUMBER], [JUMP_IF_EQUAL, 0, skipRule, syscall])
  for (const { index, mask, value, equal } of conditions) {
    code.push([LOAD, 0, 0, argumentOffset(index)], [AND, 0, 0, mask])
    code.push(equal ? [JUMP_IF_EQUAL, 0, skipRule, value] : [JUMP_IF_EQUAL, skipRule, 0, value])
  }
  code.push([RETURN, 0, 0, FAIL_WITH | EPERM])
  const toEnd = (at, target) => (target === skipRule ? code.length - 1 - at : target)
  return code.map(([operation, yes, no, operand], at) => [operation, toEnd(at, yes), toEnd(at, no), operand])
}

/** Compiles rules to the program that seccomp(2) takes. Example: `compileFilter(zygoteRules)`. */
function compileFilter(rules) {
  const code = [
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_IF_EQUAL, 1, 0, AUDIT_ARCHITECTURE[process.arch]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, NUMBER],
    [JUMP_IF_AT_LEAST, 0, 1, X32_BIT],
    [RETURN, 0, 0, KILL_PROCESS],
    [JUMP_IF_AT_LEAST, 0, 1, FIRST_LATER_CALL],
    [RETURN, 0, 0, FAIL_WITH | ENOSYS],
    ...rules.filter(({ syscall }) => syscall !== undefined).flatMap(compileRule),
    [RETURN, 0, 0, ALLOW],
  ]
  const filter = Buffer.alloc(code.length * 8)
  code.forEach(([operation, yes, no, operand], at) => {
    filter.writeUInt16LE(operation, at * 8)
    filter.writeUInt8(yes, at * 8 + 2)
    filter.writeUInt8(no, at * 8 + 3)
    filter.writeUInt32LE(operand >>> 0, at * 8 + 4)
  })
  return { len: code.length, filter }
}

module.exports = { SYSCALL, compileFilter, zygoteRules, executionRules }
