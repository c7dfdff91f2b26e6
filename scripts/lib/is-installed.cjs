// Exits 0 if node_modules of the folder given holds what its package-lock.json asks for on this machine.
const { existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')

const packagesOf = (path) => JSON.parse(readFileSync(path, 'utf8')).packages
const suits = (wanted, have) => wanted === undefined || [wanted].flat().includes(have)

function isInstalled(folder) {
  const wanted = packagesOf(join(folder, 'package-lock.json'))
  const have = packagesOf(join(folder, 'node_modules/.package-lock.json'))
  return Object.entries(wanted).every(([path, entry]) => {
    // A workspace's command is linked only if its file was there at that time.
    const isLinked = (command) => existsSync(join(folder, 'node_modules/.bin', command))
    if (have[path]?.link && !Object.keys(wanted[have[path].resolved]?.bin ?? {}).every(isLinked)) return false
    if (path === '' || have[path]?.version === entry.version) return true
    return !(suits(entry.os, process.platform) && suits(entry.cpu, process.arch) && suits(entry.libc, 'glibc'))
  })
}

let installed = false
try {
  installed = isInstalled(process.argv[2] ?? '.')
} catch {
  // no node_modules yet, or not of npm's making
}
process.exitCode = installed ? 0 : 1
