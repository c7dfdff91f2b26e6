'use strict'
// Without /proc Node cannot tell its memory and its processors, and without a list of users its user; a function sees its own
// limits instead of the machine's, and as its home the only folder that it may write to.
const os = require('node:os')
const v8 = require('node:v8')

const MIB = 1_048_576
const KIB = 1024

/** The most that was resident so far, by getrusage, which needs no /proc. */
const residentBytes = () => process.resourceUsage().maxRSS * KIB

function memoryUsage() {
  const { total_heap_size, used_heap_size, external_memory } = v8.getHeapStatistics()
  return {
    rss: residentBytes(),
    heapTotal: total_heap_size,
    heapUsed: used_heap_size,
    external: external_memory,
    arrayBuffers: 0,
  }
}
memoryUsage.rss = residentBytes

/** One processor: what a function's CPU quota amounts to. */
const cpus = () => [{ model: 'PeerHost', speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } }]

const HOME = '/tmp'
const USER = 'function'
const homedir = () => process.env.HOME || HOME

function userInfo(options) {
  const text = (value) => (options?.encoding === 'buffer' ? Buffer.from(value) : value)
  return { uid: process.getuid(), gid: process.getgid(), username: text(USER), homedir: text(HOME), shell: null }
}

function works(call) {
  try {
    return call()
  } catch {
    return false
  }
}

/** @param {{ memorySize: number }} config memorySize in MB */
function installPlatform({ memorySize }) {
  if (!works(() => process.memoryUsage())) process.memoryUsage = memoryUsage
  if (!works(() => os.cpus().length > 0)) os.cpus = cpus
  if (!works(() => os.userInfo())) os.userInfo = userInfo
  os.homedir = homedir
  os.totalmem = () => memorySize * MIB
  os.freemem = () => Math.max(0, memorySize * MIB - process.memoryUsage.rss())
}

module.exports = { installPlatform, memoryUsage, cpus, userInfo }
