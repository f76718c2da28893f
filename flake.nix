{
  description = "Maestro: what a change reaches, with proofs, from one hypergraph";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.05";

  outputs =
    { self, nixpkgs }:
    let
      # The embedded server has wheels for these; elsewhere Maestro needs a Neo4j.
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      tools = pkgs: [
        pkgs.python312
        pkgs.git
        pkgs.gnumake
      ];

      # The wheels are those of requirements.txt, checked by their hashes, in a folder of the user's:
      # the type engine and the server's Java runtime are binaries that nixpkgs does not build.
      launcher =
        pkgs:
        pkgs.writeShellScript "maestro-launcher" ''
          set -eu
          place="''${XDG_CACHE_HOME:-$HOME/.cache}/maestro/${self.narHash or "source"}"
          if [ ! -e "$place/.ready" ]; then
            rm -rf "$place"
            mkdir -p "$place"
            cp -R ${self}/. "$place/"
            chmod -R u+w "$place"
            "$place/scripts/setup" run
            touch "$place/.ready"
          fi
          exec "$place/.venv/bin/maestro" "$@"
        '';
    in
    {
      packages = each (pkgs: rec {
        maestro =
          if pkgs.stdenv.isLinux then
            # Wheels expect the usual places of a Linux system, which NixOS does not have.
            pkgs.buildFHSEnv {
              name = "maestro";
              targetPkgs =
                p:
                tools p
                ++ [
                  p.stdenv.cc.cc.lib
                  p.zlib
                ];
              runScript = launcher pkgs;
            }
          else
            pkgs.writeShellApplication {
              name = "maestro";
              runtimeInputs = tools pkgs;
              text = ''exec ${launcher pkgs} "$@"'';
            };
        default = maestro;
      });

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          packages = tools pkgs ++ [
            pkgs.maven
            pkgs.jdk17_headless
            pkgs.graphviz
          ];
          shellHook = ''
            echo "make run REPO=... indexes a clone; make test runs everything, on both servers."
          '';
        };
      });

      # What can be checked in a sandbox without network; `make test` does the rest.
      checks = each (pkgs: {
        lint = pkgs.runCommand "maestro-lint" { nativeBuildInputs = [ pkgs.ruff ]; } ''
          cd ${self}
          ruff check --no-cache .
          ruff format --no-cache --check .
          touch $out
        '';
        scripts = pkgs.runCommand "maestro-scripts" { nativeBuildInputs = [ pkgs.shellcheck ]; } ''
          cd ${self}
          shellcheck scripts/setup scripts/check scripts/lock .ci/run
          touch $out
        '';
      });

      formatter = each (pkgs: pkgs.nixfmt-rfc-style);
    };
}
