"""The Azure driver: devices of IonQ, Quantinuum and Rigetti in an Azure Quantum workspace."""

from qsched_azure.driver import AzureDriver

__all__ = ["AzureDriver"]
