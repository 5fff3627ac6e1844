#!/usr/bin/env bash
# snakemake 9.27.1: a job does not run again when two of its params have swapped their values.
#
# Version:     snakemake 9.27.1.
# Expectation: a change of params is a reason to run a job again (--rerun-triggers has "params" among
#              the triggers that are on), so the results on disk are those of the present parameters.
# Behaviour:   of the params only the values are compared, as a set: neither which name a value stands
#              under nor how often it occurs. chosen=0.1 rejected=0.9 and chosen=0.9 rejected=0.1 are
#              the same then, so are (0.1, 0.9, 0.9) and (0.1, 0.1, 0.9). Snakemake says that there
#              is nothing to be done, and the file keeps the result of the old parameters.
# Output seen: another value: rerun; swapped: nothing to be done; file says "0.1 0.9"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  snakemake==9.27.1
cd "$folder"
cat >Snakefile <<'RULES'
rule compare:
    output:
        "result.txt",
    params:
        chosen=config["chosen"],
        rejected=config["rejected"],
    shell:
        "echo {params.chosen} {params.rejected} > {output}"
RULES
smk() {  # what snakemake says of a run with these two values
  XDG_CACHE_HOME="$folder/cache" env/bin/snakemake --cores 1 "${@:3}" \
    --config chosen="$1" rejected="$2" 2>&1
}
smk 0.1 0.9 >first.log
other=$(smk 0.1 0.8 --dry-run)
swapped=$(smk 0.9 0.1)
verdict() { if grep -q "Nothing to be done" <<<"$1"; then echo "nothing to be done"; else echo rerun; fi; }
seen="another value: $(verdict "$other"); swapped: $(verdict "$swapped"); file says \"$(cat result.txt)\""
echo "$seen"
if [ "$seen" != 'another value: rerun; swapped: nothing to be done; file says "0.1 0.9"' ]; then
  echo "changed: swapped params are seen" >&2
  exit 1
fi
