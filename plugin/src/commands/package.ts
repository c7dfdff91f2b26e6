import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PeerHostError } from '@peerhost/protocol'
import { type BuiltFunction, buildFunctions, buildTools } from '../deploy/build-functions.ts'
import { readPackage } from '../deploy/read-package.ts'
import { unpackArtifacts } from '../deploy/unpack-artifacts.ts'
import { formatSize } from '../format.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { Steps } from '../steps.ts'
import type { CommandPart } from './commands.ts'

export interface PackageCommand extends CommandPart {
  /** What `package` built, or what `--package` names. */
  built: () => Promise<BuiltFunction[]>
  /** Bundles some functions at once, for commands that do not run `package`. */
  build: (names: string[], steps: Steps) => Promise<BuiltFunction[]>
}

/** Plugins that cannot work beside ours, and what to do instead. */
const CONFLICTS: Record<string, string> = {
  'serverless-esbuild': 'Remove it from `plugins`: PeerHost bundles TypeScript and ES modules itself.',
}

function refuseConflicts({ serverless }: PeerHostProvider): void {
  const { plugins } = serverless.service
  const names = Array.isArray(plugins) ? plugins : (plugins?.modules ?? [])
  for (const plugin of names) {
    const advice = CONFLICTS[plugin]
    if (advice) throw new PeerHostError('PH_CONFIG_PLUGIN_CONFLICT', { plugin, advice })
  }
}

/** `serverless package`: a bundle for each function, without key and without network. Runs as part of `deploy`, too. */
export function packageCommand(provider: PeerHostProvider): PackageCommand {
  const { serverless, utils } = provider
  let built: BuiltFunction[] | undefined

  /** The zips that Serverless would make hold the whole folder: nothing here reads them. */
  const switchOffZips = () => {
    for (const definition of Object.values(serverless.service.functions)) {
      const own = (definition.package ?? {}) as { artifact?: string }
      if (!own.artifact) definition.package = { ...own, disable: true }
    }
  }

  const build: PackageCommand['build'] = async (names, steps) => {
    const configs = provider.config().functions.filter(({ name }) => names.includes(name))
    const scratch = mkdtempSync(path.join(tmpdir(), 'peerhost-artifacts-'))
    try {
      const artifacts = await unpackArtifacts(serverless, names, scratch)
      const label = `Bundling ${configs.length === 1 ? configs[0]!.name : `${configs.length} functions`}`
      return await steps.run('bundle', label, () => buildFunctions(serverless.serviceDir, configs, artifacts))
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  }

  const outputDir = () => {
    const option = provider.options.package
    return path.resolve(
      serverless.serviceDir,
      typeof option === 'string' && option ? option : (serverless.service.package.path ?? '.serverless'),
    )
  }

  const write = (functions: BuiltFunction[]) => {
    const dir = outputDir()
    mkdirSync(dir, { recursive: true })
    for (const { entry, bytes } of functions) writeFileSync(path.join(dir, `${entry.name}.js`), bytes)
    const { project } = provider.config()
    const summary = { project, functions: functions.map(({ entry }) => entry), tools: buildTools() }
    writeFileSync(path.join(dir, 'peerhost.json'), `${JSON.stringify(summary, null, 2)}\n`)
  }

  return {
    commands: { package: {} },
    hooks: {
      'before:package:cleanup': () => {
        refuseConflicts(provider)
        provider.warn()
      },
      'before:package:createDeploymentArtifacts': switchOffZips,
      'package:compileFunctions': async () => {
        const names = provider.config().functions.map(({ name }) => name)
        built = await build(names, provider.steps)
      },
      'package:finalize': () => {
        write(built ?? [])
        if (serverless.processedInput.commands[0] !== 'package') return
        const dir = path.relative(process.cwd(), outputDir()) || '.'
        utils.log.success(`Packaged ${built!.length} ${built!.length === 1 ? 'function' : 'functions'} into ${dir}`)
        for (const { entry } of built!) utils.writeText(`${entry.name}: ${formatSize(entry.size)}, ${entry.bundleCid}`)
      },
    },
    built: async () => built ?? (await readPackage(outputDir(), provider.config().project)),
    build,
  }
}
