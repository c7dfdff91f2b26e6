import type { Compilation, Module, NormalModule } from 'webpack'

/** Packages whose only purpose is to load a compiled addon. */
const ADDON_LOADERS =
  /[\\/]node_modules[\\/](node-gyp-build(?:-optional-packages)?|bindings|@mapbox[\\/]node-pre-gyp|node-pre-gyp|prebuild-install)[\\/]/

/** The package a file belongs to, or its path inside the service. */
function owner(file: string, serviceDir: string): string {
  const name = /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file)?.[1]
  return name?.replace('\\', '/') ?? file.replace(`${serviceDir}/`, '')
}

/** What of a module is native code, if anything. */
function nativeName(module: Module): string | undefined {
  const resource = (module as NormalModule).resource
  if (typeof resource === 'string' && ADDON_LOADERS.test(resource)) return resource
  const external = module as Module & { request?: unknown; externalType?: string }
  if (external.externalType && /\.node$/.test(String(external.request))) return String(external.request)
  const context = module as Module & { options?: { regExp?: RegExp | null } }
  if (context.options?.regExp instanceof RegExp && /\\\.node\$?$/.test(context.options.regExp.source))
    return 'a .node file'
  return undefined
}

/**
 * Names the package (or source file) that cannot do without compiled code, if the entry reaches one. What is required inside
 * `try` does not count: packages such as ws or secp256k1 fall back to JavaScript.
 */
export function findNativeModule(compilation: Compilation, entry: Module, serviceDir: string): string | undefined {
  const seen = new Set<Module>([entry])
  const queue: Module[] = [entry]
  for (let module = queue.shift(); module; module = queue.shift()) {
    for (const connection of compilation.moduleGraph.getOutgoingConnections(module)) {
      const next = connection.module
      const optional = (connection.dependency as { optional?: boolean } | null)?.optional === true
      if (!next || optional || seen.has(next)) continue
      const native = nativeName(next)
      if (native) {
        const file = (module as NormalModule).resource
        return typeof file === 'string' ? owner(file, serviceDir) : native
      }
      seen.add(next)
      queue.push(next)
    }
  }
  return undefined
}
