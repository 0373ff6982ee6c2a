/*
 * Suspend file: the state of the devices, as a migration would save it.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/stubdomain/suspend-file-internal.h"
#include "io/channel-buffer.h"
#include "migration/global_state.h"
#include "qapi/error.h"
#include "migration.h"
#include "qemu-file.h"
#include "savevm.h"

static void put_head(QEMUFile *f)
{
    bool *capabilities = migrate_get_current()->capabilities;
    bool mapped_ram = capabilities[MIGRATION_CAPABILITY_MAPPED_RAM];
    bool ignore_shared = capabilities[MIGRATION_CAPABILITY_X_IGNORE_SHARED];

    /* The stream names the capabilities that it has to be loaded with. */
    capabilities[MIGRATION_CAPABILITY_MAPPED_RAM] = true;
    capabilities[MIGRATION_CAPABILITY_X_IGNORE_SHARED] = false;
    qemu_savevm_state_header(f);
    capabilities[MIGRATION_CAPABILITY_MAPPED_RAM] = mapped_ram;
    capabilities[MIGRATION_CAPABILITY_X_IGNORE_SHARED] = ignore_shared;
}

static int put_devices(QEMUFile *f)
{
    static const char no_description[] = "{}";
    int ret;

    global_state_store_running();
    ret = qemu_savevm_state_complete_precopy_non_iterable(f, false);
    if (ret < 0) {
        return ret;
    }
    if (should_send_vmdesc()) {
        qemu_put_byte(f, QEMU_VM_VMDESCRIPTION);
        qemu_put_be32(f, strlen(no_description));
        qemu_put_buffer(f, (const uint8_t *)no_description,
                        strlen(no_description));
    }
    return qemu_fflush(f);
}

bool suspend_save_devices(SuspendJob *job, Error **errp)
{
    QIOChannelBuffer *saved = qio_channel_buffer_new(256 * KiB);
    QEMUFile *f = qemu_file_new_output(QIO_CHANNEL(saved));
    MigrationState *ms = migrate_get_current();
    JSONWriter *vmdesc = ms->vmdesc;
    enum sd_suspend_refusal refusal;
    size_t head;
    int ret;

    /* A savevm leaves a finished description of its stream there. */
    ms->vmdesc = NULL;
    put_head(f);
    qemu_fflush(f);
    head = saved->usage;
    ret = put_devices(f);
    ms->vmdesc = vmdesc;
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot save the state of the devices");
    } else {
        refusal = sd_suspend_stream_new(job->image->layout,
                                        ms->send_section_footer, saved->data,
                                        head, saved->data + head,
                                        saved->usage - head, &job->stream);
        if (refusal != SD_SUSPEND_OK) {
            error_setg(errp, "cannot make a suspend file: %s",
                       sd_suspend_refusal_text(refusal));
            ret = -1;
        }
    }
    qemu_fclose(f);
    object_unref(OBJECT(saved));
    return ret == 0;
}
